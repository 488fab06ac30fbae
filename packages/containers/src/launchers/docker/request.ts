// The body of the engine's request that creates a container (POST /containers/create), as far as this agent uses it. Names are
// the engine's. Parts are filled in one after another, so it is mutable until it is sent.

export interface Mount {
  readonly Type: 'bind' | 'volume' | 'tmpfs';
  readonly Source?: string;
  readonly Target: string;
  readonly ReadOnly: boolean;
  readonly BindOptions?: { readonly Propagation: string };
  readonly VolumeOptions?: {
    readonly DriverConfig: { readonly Name?: string; readonly Options: { readonly [name: string]: string } };
  };
}

export interface PortBinding {
  readonly HostIp: string;
  readonly HostPort: string;
}

export interface HostConfig {
  Binds: string[];
  Mounts: Mount[];
  NetworkMode: string;
  PortBindings: Record<string, PortBinding[]>;
  Privileged: boolean;
  CpuShares?: number;
  CpuPeriod?: number;
  CpuQuota?: number;
  Memory?: number;
  MemoryReservation?: number;
  OomScoreAdj?: number;
  Ulimits: { readonly Name: string; readonly Soft: number; readonly Hard: number }[];
  RestartPolicy: { readonly Name: 'no' };
  AutoRemove: false;
  /** Fields that parameters add. */
  [field: string]: unknown;
}

/** The settings of a container's endpoint in its network. */
export interface Endpoint {
  Aliases?: string[];
  Links?: string[];
  IPAMConfig?: { IPv4Address?: string; IPv6Address?: string; LinkLocalIPs?: string[] };
}

export interface CreateRequest {
  readonly Image: string;
  Entrypoint?: string[];
  Cmd?: string[];
  /** Later values replace earlier ones. */
  readonly environment: Map<string, string>;
  readonly Labels: Record<string, string>;
  readonly ExposedPorts: Record<string, object>;
  Healthcheck?: Record<string, unknown>;
  readonly HostConfig: HostConfig;
  readonly endpoint: Endpoint;
  /** Fields that parameters add. */
  [field: string]: unknown;
}

/** The request as JSON. */
export function serializeRequest({ environment, endpoint, ...body }: CreateRequest): string {
  const network = body.HostConfig.NetworkMode;
  const hasEndpoint = Object.keys(endpoint).length > 0;
  return JSON.stringify({
    ...body,
    Env: [...environment].map(([name, value]) => `${name}=${value}`),
    ...(hasEndpoint ? { NetworkingConfig: { EndpointsConfig: { [network]: endpoint } } } : {}),
  });
}
