// A cluster for hostile input, with a framework that must not be affected by it.
import { createTestCluster, type TestCluster, type TestClusterOptions } from '../testing.js';
import { startWitness, type Witness } from './witness.js';

export interface WitnessedCluster {
  readonly cluster: TestCluster;
  readonly witness: Witness;
}

/** `wantsOffers`: whether the witness goes on receiving offers. The cluster is stopped if a part of it does not start. */
export async function startWitnessedCluster(
  wantsOffers: boolean,
  options: TestClusterOptions = {},
): Promise<WitnessedCluster> {
  const cluster = await createTestCluster(options);
  try {
    await cluster.startMaster();
    await cluster.startAgent();
    return { cluster, witness: await startWitness(cluster.master, wantsOffers) };
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}
