/** What may happen to a daemon's state, as shell lines for a host. Pure: chance comes in as numbers. */

export interface Damage {
  name: string;
  /** Run after the daemon was killed; `$D` is the data root, `$OLD` holds an older copy of its database. */
  line: (chance: () => number) => string;
  /** Fills the file system while the daemon works; the daemon starts on the full disk. */
  fillsDisk?: boolean;
}

const cut = (file: string, chance: () => number): string =>
  `[ -f ${file} ] && s=$(stat -c %s ${file}) && truncate -s $((s * ${Math.floor(chance() * 1000)} / 1000)) ${file}`;
const overwrite = (file: string, chance: () => number): string =>
  `s=$(stat -c %s ${file}); dd if=/dev/urandom of=${file} bs=512 count=${1 + Math.floor(chance() * 64)} seek=$((s / 512 * ${Math.floor(chance() * 1000)} / 1000)) conv=notrunc 2>/dev/null`;
const oneRecord = (chance: () => number): string =>
  `set -- $D/records/containers/*.json; shift $(($# * ${Math.floor(chance() * 1000)} / 1000))`;

export const damages: readonly Damage[] = [
  { name: 'none', line: () => ':' },
  { name: 'log cut', line: (chance) => cut('$D/netyard.db-wal', chance) },
  // Where the frames of the last transactions are: the file itself is longer.
  {
    name: 'log cut near its beginning',
    line: (chance) => `[ -f $D/netyard.db-wal ] && truncate -s ${Math.floor(chance() * 60_000)} $D/netyard.db-wal`,
  },
  { name: 'log removed', line: () => 'rm -f $D/netyard.db-wal' },
  {
    name: 'log overwritten',
    line: (chance) => `[ -s $D/netyard.db-wal ] && { ${overwrite('$D/netyard.db-wal', chance)}; }`,
  },
  { name: 'older copy', line: () => 'rm -f $D/netyard.db-wal && cp $OLD/netyard.db $D/netyard.db' },
  {
    name: 'older copy with its log',
    line: () =>
      'rm -f $D/netyard.db-wal; cp $OLD/netyard.db $D/; [ ! -f $OLD/netyard.db-wal ] || cp $OLD/netyard.db-wal $D/',
  },
  { name: 'database cut', line: (chance) => cut('$D/netyard.db', chance) },
  // The first pages hold the rows; most of the others are spare.
  {
    name: 'database cut near its beginning',
    line: (chance) => `rm -f $D/netyard.db-wal; truncate -s ${Math.floor(chance() * 100_000)} $D/netyard.db`,
  },
  {
    name: 'database overwritten near its beginning',
    line: (chance) =>
      `dd if=/dev/urandom of=$D/netyard.db bs=512 count=4 seek=${Math.floor(chance() * 150)} conv=notrunc 2>/dev/null`,
  },
  { name: 'database emptied', line: () => ': > $D/netyard.db' },
  { name: 'database overwritten', line: (chance) => overwrite('$D/netyard.db', chance) },
  { name: 'database removed', line: () => 'rm -f $D/netyard.db' },
  { name: 'database and log removed', line: () => 'rm -f $D/netyard.db $D/netyard.db-wal' },
  { name: 'a record file damaged', line: (chance) => `${oneRecord(chance)}; ${overwrite('$1', chance)}` },
  { name: 'a record file removed', line: (chance) => `${oneRecord(chance)}; rm -f $1` },
  { name: 'all record files removed', line: () => 'rm -rf $D/records' },
  { name: 'disk filled', line: () => ':', fillsDisk: true },
];

/** Numbers from 0 to 1 that a seed decides (mulberry32). */
export function chanceOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
