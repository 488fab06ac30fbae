// libprocess between simulated processes: one connection per direction and address, shared by all pids of the address.
//
// Owns: the connections that this process opened, and which of them are linked.
// SIMULATED-PEERS-1: a linked address is reported lost once per break, which removes the link.
import { addressOfPid, type Pid } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { decodeMessage, encodeMessage } from '@meseta/wire/libprocess-codec';
import { freeze } from './freeze.js';
import type { End, Handlers, Network } from './network.js';

export interface PeerMessage {
  /** The id part of the recipient's pid: `master`, `slave(1)`. */
  readonly to: string;
  readonly from: Pid;
  readonly message: LibprocessMessage;
}

export interface Peers {
  send(to: Pid, from: string, message: LibprocessMessage): void;
  link(to: Pid): void;
  unlink(to: Pid): void;
  /** The handlers of a connection that a peer made to this process. */
  accept(): Handlers;
}

export interface PeersOptions {
  readonly network: Network;
  readonly address: string;
  /** Messages travel as bytes. */
  readonly encoded: boolean;
  onMessage(message: PeerMessage): void;
  onPeerLost(address: string): void;
}

type Packet =
  | PeerMessage
  | { readonly to: string; readonly from: Pid; readonly wireName: string; readonly bytes: Uint8Array };

const processIdOf = (pid: Pid): string => pid.slice(0, pid.lastIndexOf('@'));

export function createPeers({ network, address, encoded, onMessage, onPeerLost }: PeersOptions): Peers {
  const open = new Map<string, End>();
  const links = new Map<string, Set<Pid>>();

  const connectionTo = (peer: string): End => {
    const known = open.get(peer);
    if (known !== undefined) return known;
    const end = network.connect(address, peer, 'libprocess', {
      data: () => {},
      ended() {
        if (open.get(peer) === end) open.delete(peer);
        if (links.delete(peer)) onPeerLost(peer);
      },
    });
    open.set(peer, end);
    return end;
  };

  return {
    send(to, from, message) {
      const head = { to: processIdOf(to), from: `${from}@${address}` as Pid };
      const packet: Packet = encoded ? { ...head, ...encodeMessage(message) } : { ...head, message: freeze(message) };
      connectionTo(addressOfPid(to)).write(packet);
    },
    link(to) {
      const peer = addressOfPid(to);
      const pids = links.get(peer);
      if (pids === undefined) links.set(peer, new Set([to]));
      else pids.add(to);
      connectionTo(peer);
    },
    unlink(to) {
      const pids = links.get(addressOfPid(to));
      pids?.delete(to);
      if (pids?.size === 0) links.delete(addressOfPid(to));
    },
    accept: () => ({
      data(payload) {
        const packet = payload as Packet;
        if ('message' in packet) {
          onMessage(packet);
          return;
        }
        const decoded = decodeMessage(packet.wireName, packet.bytes);
        if (!decoded.ok) throw new Error(`${packet.wireName} can't be read: ${JSON.stringify(decoded.error)}`);
        onMessage({ to: packet.to, from: packet.from, message: freeze(decoded.value) });
      },
      ended: () => {},
    }),
  };
}
