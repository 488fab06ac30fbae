// The compliance suites with a real ZooKeeper server, and the rules of its coordination.
import { testElection, testSharedElection } from '../testing/election-suite.js';
import { testLog, testSharedLog } from '../testing/log-suite.js';
import { newZooKeeperSite, zooKeeperSkip } from '../testing/zookeeper-server.js';

const newSite = () => newZooKeeperSite();
testElection('ZooKeeper', newSite, zooKeeperSkip);
testSharedElection('ZooKeeper', newSite, zooKeeperSkip);
testLog('ZooKeeper', newSite, zooKeeperSkip);
testSharedLog('ZooKeeper', newSite, zooKeeperSkip);
