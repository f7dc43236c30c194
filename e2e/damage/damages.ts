/** Kinds of damage to a daemon's state, as shell commands for a host. Pure: random numbers are parameters. */

export interface Damage {
  name: string;
  /** Run after the daemon was killed; `$D` is the data root, `$OLD` holds an older copy of its database. */
  line: (random: () => number) => string;
  /** Fills the file system while the daemon works; the daemon starts on the full disk. */
  fillsDisk?: boolean;
}

const truncate = (file: string, random: () => number): string =>
  `[ -f ${file} ] && s=$(stat -c %s ${file}) && truncate -s $((s * ${Math.floor(random() * 1000)} / 1000)) ${file}`;
const overwrite = (file: string, random: () => number): string =>
  `s=$(stat -c %s ${file}); dd if=/dev/urandom of=${file} bs=512 count=${1 + Math.floor(random() * 64)} seek=$((s / 512 * ${Math.floor(random() * 1000)} / 1000)) conv=notrunc 2>/dev/null`;
const oneRecord = (random: () => number): string =>
  `set -- $D/records/containers/*.json; shift $(($# * ${Math.floor(random() * 1000)} / 1000))`;

export const damages: readonly Damage[] = [
  { name: 'none', line: () => ':' },
  { name: 'log truncated', line: (random) => truncate('$D/netyard.db-wal', random) },
  // In the frames of the last transactions: the file is longer.
  {
    name: 'log truncated near its start',
    line: (random) => `[ -f $D/netyard.db-wal ] && truncate -s ${Math.floor(random() * 60_000)} $D/netyard.db-wal`,
  },
  { name: 'log removed', line: () => 'rm -f $D/netyard.db-wal' },
  {
    name: 'log overwritten',
    line: (random) => `[ -s $D/netyard.db-wal ] && { ${overwrite('$D/netyard.db-wal', random)}; }`,
  },
  { name: 'older copy', line: () => 'rm -f $D/netyard.db-wal && cp $OLD/netyard.db $D/netyard.db' },
  {
    name: 'older copy with log',
    line: () =>
      'rm -f $D/netyard.db-wal; cp $OLD/netyard.db $D/; [ ! -f $OLD/netyard.db-wal ] || cp $OLD/netyard.db-wal $D/',
  },
  { name: 'database truncated', line: (random) => truncate('$D/netyard.db', random) },
  // In the first pages, which hold the rows: most others are free.
  {
    name: 'database truncated near its start',
    line: (random) => `rm -f $D/netyard.db-wal; truncate -s ${Math.floor(random() * 100_000)} $D/netyard.db`,
  },
  {
    name: 'database overwritten near its start',
    line: (random) =>
      `dd if=/dev/urandom of=$D/netyard.db bs=512 count=4 seek=${Math.floor(random() * 150)} conv=notrunc 2>/dev/null`,
  },
  { name: 'database emptied', line: () => ': > $D/netyard.db' },
  { name: 'database overwritten', line: (random) => overwrite('$D/netyard.db', random) },
  { name: 'database removed', line: () => 'rm -f $D/netyard.db' },
  { name: 'database and log removed', line: () => 'rm -f $D/netyard.db $D/netyard.db-wal' },
  { name: 'a record file damaged', line: (random) => `${oneRecord(random)}; ${overwrite('$1', random)}` },
  { name: 'a record file removed', line: (random) => `${oneRecord(random)}; rm -f $1` },
  { name: 'all record files removed', line: () => 'rm -rf $D/records' },
  { name: 'disk full', line: () => ':', fillsDisk: true },
];
