// Reads the engine's JSON. What has another type than the engine's API says counts as missing. Pure.
import { LIMITS } from '@meseta/base';

/** The parts of an inspected container that the agent uses. */
export interface Inspected {
  readonly State: {
    /** created, running, paused, restarting, removing, exited, dead */
    readonly Status: string | undefined;
    readonly Pid: number | undefined;
    readonly ExitCode: number | undefined;
    readonly OOMKilled: boolean;
  };
  readonly Config: { readonly StopSignal: string | undefined };
  readonly HostConfig: { readonly NetworkMode: string | undefined; readonly Memory: number | undefined };
  readonly NetworkSettings: { readonly Networks: ReadonlyMap<string, EndpointAddresses> };
}

export interface EndpointAddresses {
  readonly IPAddress: string | undefined;
  readonly GlobalIPv6Address: string | undefined;
}

export interface Listed {
  readonly Names: readonly string[];
  readonly State: string | undefined;
}

type Fields = { readonly [field: string]: unknown };

const isText = (value: unknown): value is string => typeof value === 'string';
const textIn = (value: unknown): string | undefined => (isText(value) ? value : undefined);
const integerIn = (value: unknown): number | undefined => (Number.isSafeInteger(value) ? (value as number) : undefined);

export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null ? (value as Fields) : {};

export function isTooDeep(value: unknown): boolean {
  let level: readonly unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > LIMITS.jsonDepth.most) return true;
    level = level.flatMap((it) => (typeof it === 'object' && it !== null ? Object.values(it) : []));
  }
  return false;
}

export function inspectedIn(json: unknown): Inspected {
  const { State, Config, HostConfig, NetworkSettings } = fieldsOf(json);
  const { Status, Pid, ExitCode, OOMKilled } = fieldsOf(State);
  const { NetworkMode, Memory } = fieldsOf(HostConfig);
  const networks = Object.entries(fieldsOf(fieldsOf(NetworkSettings)['Networks']));
  const addressesOf = (endpoint: unknown): EndpointAddresses => {
    const { IPAddress, GlobalIPv6Address } = fieldsOf(endpoint);
    return { IPAddress: textIn(IPAddress), GlobalIPv6Address: textIn(GlobalIPv6Address) };
  };
  return {
    State: {
      Status: textIn(Status),
      Pid: integerIn(Pid),
      ExitCode: integerIn(ExitCode),
      OOMKilled: OOMKilled === true,
    },
    Config: { StopSignal: textIn(fieldsOf(Config)['StopSignal']) },
    HostConfig: { NetworkMode: textIn(NetworkMode), Memory: integerIn(Memory) },
    NetworkSettings: { Networks: new Map(networks.map(([name, endpoint]) => [name, addressesOf(endpoint)])) },
  };
}

/** undefined: it is no list. */
export function listedIn(json: unknown): readonly Listed[] | undefined {
  if (!Array.isArray(json)) return undefined;
  return json.map((each: unknown) => {
    const { Names, State } = fieldsOf(each);
    return { Names: Array.isArray(Names) ? Names.filter(isText) : [], State: textIn(State) };
  });
}
