/** Validates names of clusters and hosts, which are part of keys, log lines and DNS names: no slash, no space. */
export const isMemberName = (text: string): boolean => /^[a-zA-Z0-9](?:[a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?$/.test(text);
