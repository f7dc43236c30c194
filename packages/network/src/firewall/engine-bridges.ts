/** Recognizes bridges of other container and virtual machine engines by their names. Pure. */

/**
 * Docker and nerdctl, Podman, CNI, libvirt, LXC, LXD and Incus. Not `br-*`: `br-lan` and its like are bridges of an
 * administrator, with neighbouring hosts on them.
 */
const patterns = [
  /^docker(\d+|_gwbridge)$/,
  /^br-[0-9a-f]{12}$/,
  /^(podman|cni|cni-podman|nerdctl|virbr|lxcbr|lxdbr|incusbr)\d+$/,
];

export const isEngineBridge = (link: string): boolean => patterns.some((pattern) => pattern.test(link));
