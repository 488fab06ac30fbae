// `--ip_discovery_command`: a command that prints the address to listen on.
import { execFile } from 'node:child_process';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import { err, ok, type Result } from '@meseta/base';

const TIMEOUT_MS = 60_000;

export async function discoverIp(command: string): Promise<Result<string, string>> {
  try {
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', command], { timeout: TIMEOUT_MS });
    const ip = stdout.trim();
    return isIP(ip) === 0 ? err(`expected the command to print an IP address, got ${JSON.stringify(ip)}`) : ok(ip);
  } catch (cause) {
    return err(cause instanceof Error ? cause.message.trim() : String(cause));
  }
}
