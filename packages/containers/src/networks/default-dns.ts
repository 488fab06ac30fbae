// `--default_container_dns`: what containers know about DNS in networks that say nothing about it.

interface Entry {
  readonly network_mode?: string | undefined;
  readonly network_name?: string | undefined;
}

/** The entry for one of the networks of a container, else the one for all networks of the mode. */
export const defaultDnsFor = <T extends Entry>(
  entries: readonly T[],
  mode: string,
  networks: readonly string[],
): T | undefined => {
  const ofMode = entries.filter(({ network_mode }) => network_mode === mode);
  return (
    ofMode.find(({ network_name: name }) => name !== undefined && networks.includes(name)) ??
    ofMode.find(({ network_name: name }) => name === undefined)
  );
};
