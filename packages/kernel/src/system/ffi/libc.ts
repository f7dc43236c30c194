/**
 * Bindings to libc functions that Node does not offer. This is the only file that uses the FFI library.
 *
 * No logic: functions return what C returns (-1 and `errno()` on failure); `calls.ts` has checked versions. The FFI
 * library (some 15 ms to load) and libc are loaded at the first call of `libc()`, not at import, so that code that only
 * plans, prints or tests pure functions needs neither.
 */
import { createRequire } from 'node:module';
import type Koffi from 'koffi';

type Ffi = typeof Koffi;
/**
 * A shared library whose functions are declared one by one by their C prototype; `T` is the prototype's TypeScript
 * type.
 */
export interface Library {
  declare<T>(prototype: string): T;
  /** The same, executed on a thread of libuv's pool; the last argument is a callback (error, result). */
  declareAsync<T>(prototype: string): T;
  /** Address of a function, for use as a C callback. */
  symbol(name: string): unknown;
  /** errno of this thread's last call. */
  errno(): number;
  /** Memory at a fixed address, which other memory can refer to. It is never freed. */
  allocate(size: number): NativeMemory;
}

export interface NativeMemory {
  bytes: Uint8Array;
  address: bigint;
}

/** Loads `libNAME.so.N`. Throws when it is not installed. */
export function loadLibrary(file: string): Library {
  const ffi = createRequire(import.meta.url)('koffi') as Ffi;
  const library = ffi.load(file);
  return {
    declare: <T>(prototype: string) => library.func(prototype) as unknown as T,
    declareAsync: <T>(prototype: string) => library.func(prototype).async as unknown as T,
    symbol: (name) => library.symbol(name),
    errno: () => ffi.errno(),
    allocate(size) {
      const pointer: unknown = ffi.alloc('uint8_t', size);
      return { bytes: new Uint8Array(ffi.view(pointer, size)), address: ffi.address(pointer) };
    },
  };
}

export interface Libc {
  errno(): number;
  allocate(size: number): NativeMemory;
  open(path: string, flags: number, mode: number): number;
  openat(folder: number, path: string | Uint8Array, flags: number, mode: number): number;
  close(fd: number): number;
  setns(fd: number, kind: number): number;
  unshare(flags: number): number;
  mount(source: string | null, target: string, type: string | null, flags: number, data: string | null): number;
  chdir(path: string): number;
  fchdir(fd: number): number;
  chroot(path: string): number;
  umount2(target: string, flags: number): number;
  /** On a thread of the pool; this thread's errno() is not set. */
  umount2Async(target: string, flags: number, done: (error: unknown, result: number) => void): void;
  /** Paths and attribute names may also be NUL-terminated bytes. */
  mkfifo(path: string | Uint8Array, mode: number): number;
  mknod(path: string | Uint8Array, mode: number, device: number | bigint): number;
  utimensat(folder: number, path: string | Uint8Array, times: Uint8Array, flags: number): number;
  futimens(fd: number, times: Uint8Array): number;
  fcntl(fd: number, command: number, argument: number): number;
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  /** `entries` receives several struct dirent64, the result is their length in bytes. */
  getdents64(fd: number, entries: Uint8Array, size: number): number;
  syncfsAsync(fd: number, done: (error: unknown, result: number) => void): void;
  mallocTrimAsync(keep: number, done: (error: unknown, result: number) => void): void;
  /** On a thread of the pool. */
  madviseAsync(start: bigint, length: bigint, advice: number, done: (error: unknown, result: number) => void): void;
  fallocate(fd: number, mode: number, offset: number | bigint, length: number | bigint): number;
  /** An offset is an int64_t in 8 bytes; null for a pipe, which has none. */
  splice(
    fdIn: number,
    offsetIn: Uint8Array | null,
    fdOut: number,
    offsetOut: Uint8Array | null,
    length: number,
    flags: number,
  ): number;
  listxattr(path: string | Uint8Array, list: Uint8Array, size: number): number;
  flistxattr(fd: number, list: Uint8Array, size: number): number;
  getxattr(path: string | Uint8Array, name: string | Uint8Array, value: Uint8Array, size: number): number;
  setxattr(
    path: string | Uint8Array,
    name: string | Uint8Array,
    value: Uint8Array,
    size: number,
    flags: number,
  ): number;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  listen(fd: number, backlog: number): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number;
  sendto(
    fd: number,
    data: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array | null,
    addressLength: number,
  ): number;
  /** sendto on a thread of the pool. */
  sendtoAsync(
    fd: number,
    data: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array | null,
    addressLength: number,
    done: (error: unknown, result: number) => void,
  ): void;
  recv(fd: number, buffer: Uint8Array, length: number, flags: number): number;
  /** `message` is a struct msghdr. */
  recvmsg(fd: number, message: Uint8Array, flags: number): number;
  sendmsg(fd: number, message: Uint8Array, flags: number): number;
  accept4(fd: number, address: Uint8Array | null, length: Uint8Array | null, flags: number): number;
  shutdown(fd: number, how: number): number;
  dup3(fd: number, target: number, flags: number): number;
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: Uint8Array): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number;
  /** `fds` is an array of struct pollfd; waits up to `timeout` milliseconds, -1 for ever. */
  poll(fds: Uint8Array, count: number, timeout: number): number;
  eventfd(initial: number, flags: number): number;
  epoll_create1(flags: number): number;
  /** `event` is a struct epoll_event. */
  epoll_ctl(epoll: number, operation: number, fd: number, event: Uint8Array): number;
  /** `events` is an array of `count` struct epoll_event. */
  epoll_wait(epoll: number, events: Uint8Array, count: number, timeout: number): number;
  /** `set` and `former` are sigset_t, 128 bytes. Returns an errno. */
  pthread_sigmask(how: number, set: Uint8Array, former: Uint8Array | null): number;
  /** posix_spawn(3) and its helpers return an error number; they do not set errno. */
  posix_spawn(
    pid: Uint8Array,
    program: string,
    actions: Uint8Array,
    attributes: Uint8Array,
    args: readonly (string | null)[],
    environment: readonly (string | null)[],
  ): number;
  posix_spawn_file_actions_init(actions: Uint8Array): number;
  posix_spawn_file_actions_addopen(actions: Uint8Array, fd: number, path: string, flags: number, mode: number): number;
  posix_spawn_file_actions_adddup2(actions: Uint8Array, fd: number, target: number): number;
  posix_spawn_file_actions_addclosefrom_np(actions: Uint8Array, from: number): number;
  posix_spawn_file_actions_addchdir_np(actions: Uint8Array, folder: string): number;
  close_range(first: number, last: number, flags: number): number;
  posix_spawn_file_actions_destroy(actions: Uint8Array): number;
  posix_spawnattr_init(attributes: Uint8Array): number;
  posix_spawnattr_setflags(attributes: Uint8Array, flags: number): number;
  posix_spawnattr_setsigmask(attributes: Uint8Array, set: Uint8Array): number;
  posix_spawnattr_setsigdefault(attributes: Uint8Array, set: Uint8Array): number;
  posix_spawnattr_destroy(attributes: Uint8Array): number;
  waitpid(pid: number, status: Uint8Array | null, options: number): number;
  /**
   * A FILE; `buffer` and `size` (8 bytes each) receive its address and length at each flush. The caller frees the
   * buffer.
   */
  open_memstream(buffer: Uint8Array, size: Uint8Array): unknown;
  fseek(file: unknown, offset: number, whence: number): number;
  memcpy(target: Uint8Array, source: bigint, length: number): unknown;
  free(address: bigint): void;
  /** syscall(2) in the shape of openat2(2): number, folder, path, struct open_how, its size. */
  syscallOpenat2(number: number, folder: number, path: string | Uint8Array, how: Uint8Array, size: number): number;
  /** pidfd_open(2) by syscall(2). */
  syscallPidfdOpen(number: number, pid: number, flags: number): number;
  /** bpf(2) by syscall(2). */
  syscallBpf(number: number, command: number, attributes: Uint8Array, size: number): number;
  /** fsopen(2), fsconfig(2) and fsmount(2) by syscall(2): glibc has them since 2.36. */
  syscallFsopen(number: number, name: string, flags: number): number;
  syscallFsconfig(
    number: number,
    context: number,
    command: number,
    key: string | null,
    value: string | null,
    auxiliary: number,
  ): number;
  syscallFsmount(number: number, context: number, flags: number, attributes: number): number;
  /** open_tree(2), move_mount(2) and mount_setattr(2), likewise. */
  syscallOpenTree(number: number, folder: number, path: string, flags: number): number;
  syscallMoveMount(number: number, from: number, fromPath: string, to: number, toPath: string, flags: number): number;
  syscallMountSetattr(
    number: number,
    folder: number,
    path: string,
    flags: number,
    attributes: Uint8Array,
    size: number,
  ): number;
}

const sendto =
  'long sendto(int fd, const uint8_t *data, size_t length, int flags, const uint8_t *address, unsigned int addressLength)';

function declareLibc(): Libc {
  const c = loadLibrary('libc.so.6');
  return {
    errno: c.errno,
    allocate: c.allocate,
    open: c.declare('int open(const char *path, int flags, unsigned int mode)'),
    openat: c.declare('int openat(int folder, const char *path, int flags, unsigned int mode)'),
    close: c.declare('int close(int fd)'),
    setns: c.declare('int setns(int fd, int kind)'),
    unshare: c.declare('int unshare(int flags)'),
    mount: c.declare(
      'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
    ),
    chdir: c.declare('int chdir(const char *path)'),
    fchdir: c.declare('int fchdir(int fd)'),
    chroot: c.declare('int chroot(const char *path)'),
    umount2: c.declare('int umount2(const char *target, int flags)'),
    umount2Async: c.declareAsync('int umount2(const char *target, int flags)'),
    mkfifo: c.declare('int mkfifo(const char *path, unsigned int mode)'),
    mknod: c.declare('int mknod(const char *path, unsigned int mode, unsigned long device)'),
    utimensat: c.declare('int utimensat(int folder, const char *path, const uint8_t *times, int flags)'),
    futimens: c.declare('int futimens(int fd, const uint8_t *times)'),
    fcntl: c.declare('int fcntl(int fd, int command, long argument)'),
    getdents64: c.declare('long getdents64(int fd, uint8_t *entries, size_t size)'),
    ioctl: c.declare('int ioctl(int fd, unsigned long request, uint8_t *argument)'),
    syncfsAsync: c.declareAsync('int syncfs(int fd)'),
    mallocTrimAsync: c.declareAsync('int malloc_trim(size_t keep)'),
    madviseAsync: c.declareAsync('int madvise(uintptr_t start, size_t length, int advice)'),
    fallocate: c.declare('int fallocate(int fd, int mode, int64_t offset, int64_t length)'),
    splice: c.declare(
      'long splice(int fdIn, uint8_t *offsetIn, int fdOut, uint8_t *offsetOut, size_t length, unsigned int flags)',
    ),
    listxattr: c.declare('long listxattr(const char *path, uint8_t *list, size_t size)'),
    flistxattr: c.declare('long flistxattr(int fd, uint8_t *list, size_t size)'),
    getxattr: c.declare('long getxattr(const char *path, const char *name, uint8_t *value, size_t size)'),
    setxattr: c.declare(
      'int setxattr(const char *path, const char *name, const uint8_t *value, size_t size, int flags)',
    ),
    socket: c.declare('int socket(int domain, int type, int protocol)'),
    bind: c.declare('int bind(int fd, const uint8_t *address, unsigned int length)'),
    listen: c.declare('int listen(int fd, int backlog)'),
    connect: c.declare('int connect(int fd, const uint8_t *address, unsigned int length)'),
    getsockname: c.declare('int getsockname(int fd, uint8_t *address, uint8_t *length)'),
    sendto: c.declare(sendto),
    sendtoAsync: c.declareAsync(sendto),
    recv: c.declare('long recv(int fd, uint8_t *buffer, size_t length, int flags)'),
    ...declareRelayCalls(c),
    getsockopt: c.declare('int getsockopt(int fd, int level, int name, uint8_t *value, uint8_t *length)'),
    setsockopt: c.declare('int setsockopt(int fd, int level, int name, const uint8_t *value, unsigned int length)'),
    poll: c.declare('int poll(uint8_t *fds, unsigned long count, int timeout)'),
    eventfd: c.declare('int eventfd(unsigned int initial, int flags)'),
    ...declareEpoll(c),
    pthread_sigmask: c.declare('int pthread_sigmask(int how, const uint8_t *set, uint8_t *former)'),
    ...declareSpawn(c),
    open_memstream: c.declare('void *open_memstream(uint8_t *buffer, uint8_t *size)'),
    fseek: c.declare('int fseek(void *file, long offset, int whence)'),
    memcpy: c.declare('void *memcpy(uint8_t *target, uintptr_t source, size_t length)'),
    free: c.declare('void free(uintptr_t address)'),
    syscallOpenat2: c.declare(
      'long syscall(long number, int folder, const char *path, const uint8_t *how, size_t size)',
    ),
    syscallPidfdOpen: c.declare('long syscall(long number, int pid, unsigned int flags)'),
    ...declareTracing(c),
    ...declareMounting(c),
  };
}

const declareMounting = (c: Library) => ({
  syscallFsopen: c.declare<Libc['syscallFsopen']>('long syscall(long number, const char *name, unsigned int flags)'),
  syscallFsconfig: c.declare<Libc['syscallFsconfig']>(
    'long syscall(long number, int context, unsigned int command, const char *key, const char *value, int auxiliary)',
  ),
  syscallFsmount: c.declare<Libc['syscallFsmount']>(
    'long syscall(long number, int context, unsigned int flags, unsigned int attributes)',
  ),
  syscallOpenTree: c.declare<Libc['syscallOpenTree']>(
    'long syscall(long number, int folder, const char *path, unsigned int flags)',
  ),
  syscallMoveMount: c.declare<Libc['syscallMoveMount']>(
    'long syscall(long number, int from, const char *fromPath, int to, const char *toPath, unsigned int flags)',
  ),
  syscallMountSetattr: c.declare<Libc['syscallMountSetattr']>(
    'long syscall(long number, int folder, const char *path, unsigned int flags, uint8_t *attributes, size_t size)',
  ),
});

const declareTracing = (c: Library) => ({
  syscallBpf: c.declare<Libc['syscallBpf']>(
    'long syscall(long number, int command, uint8_t *attributes, unsigned int size)',
  ),
});

const declareRelayCalls = (c: Library) => ({
  recvmsg: c.declare<Libc['recvmsg']>('long recvmsg(int fd, uint8_t *message, int flags)'),
  sendmsg: c.declare<Libc['sendmsg']>('long sendmsg(int fd, const uint8_t *message, int flags)'),
  accept4: c.declare<Libc['accept4']>('int accept4(int fd, uint8_t *address, uint8_t *length, int flags)'),
  shutdown: c.declare<Libc['shutdown']>('int shutdown(int fd, int how)'),
  dup3: c.declare<Libc['dup3']>('int dup3(int fd, int target, int flags)'),
});

const declareEpoll = (c: Library) => ({
  epoll_create1: c.declare<Libc['epoll_create1']>('int epoll_create1(int flags)'),
  epoll_ctl: c.declare<Libc['epoll_ctl']>('int epoll_ctl(int epoll, int operation, int fd, const uint8_t *event)'),
  epoll_wait: c.declare<Libc['epoll_wait']>('int epoll_wait(int epoll, uint8_t *events, int count, int timeout)'),
});

/** The argument and environment lists end with a null. */
const posixSpawn =
  'int posix_spawn(uint8_t *pid, const char *program, const uint8_t *actions, const uint8_t *attributes, const char **args, const char **environment)';

function declareSpawn(c: Library) {
  const actions = 'posix_spawn_file_actions';
  return {
    posix_spawn: c.declare<Libc['posix_spawn']>(posixSpawn),
    posix_spawn_file_actions_init: c.declare<(actions: Uint8Array) => number>(`int ${actions}_init(uint8_t *actions)`),
    posix_spawn_file_actions_addopen: c.declare<Libc['posix_spawn_file_actions_addopen']>(
      `int ${actions}_addopen(uint8_t *actions, int fd, const char *path, int flags, unsigned int mode)`,
    ),
    posix_spawn_file_actions_adddup2: c.declare<Libc['posix_spawn_file_actions_adddup2']>(
      `int ${actions}_adddup2(uint8_t *actions, int fd, int target)`,
    ),
    posix_spawn_file_actions_addclosefrom_np: c.declare<Libc['posix_spawn_file_actions_addclosefrom_np']>(
      `int ${actions}_addclosefrom_np(uint8_t *actions, int from)`,
    ),
    close_range: c.declare<Libc['close_range']>('int close_range(unsigned int first, unsigned int last, int flags)'),
    posix_spawn_file_actions_addchdir_np: c.declare<Libc['posix_spawn_file_actions_addchdir_np']>(
      `int ${actions}_addchdir_np(uint8_t *actions, const char *folder)`,
    ),
    posix_spawn_file_actions_destroy: c.declare<(actions: Uint8Array) => number>(
      `int ${actions}_destroy(uint8_t *actions)`,
    ),
    posix_spawnattr_init: c.declare<(attributes: Uint8Array) => number>(
      'int posix_spawnattr_init(uint8_t *attributes)',
    ),
    posix_spawnattr_setflags: c.declare<Libc['posix_spawnattr_setflags']>(
      'int posix_spawnattr_setflags(uint8_t *attributes, short flags)',
    ),
    posix_spawnattr_setsigmask: c.declare<Libc['posix_spawnattr_setsigmask']>(
      'int posix_spawnattr_setsigmask(uint8_t *attributes, const uint8_t *set)',
    ),
    posix_spawnattr_setsigdefault: c.declare<Libc['posix_spawnattr_setsigdefault']>(
      'int posix_spawnattr_setsigdefault(uint8_t *attributes, const uint8_t *set)',
    ),
    posix_spawnattr_destroy: c.declare<(attributes: Uint8Array) => number>(
      'int posix_spawnattr_destroy(uint8_t *attributes)',
    ),
    waitpid: c.declare<Libc['waitpid']>('int waitpid(int pid, uint8_t *status, int options)'),
  };
}

let loaded: Libc | undefined; // a lazily computed constant, not state

/** libc, loaded at the first call. */
export function libc(): Libc {
  loaded ??= declareLibc();
  return loaded;
}
