/** Shell commands for a host that has br_netfilter or not: as where another program loaded the module, or none did. */
export const setBridgeNetfilter = (value: 0 | 1): string =>
  `for f in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do [ ! -e $f ] || echo ${value} > $f; done`;
