/**
 * System calls allowed in any container, by topic (names as in the kernel's syscall tables; libseccomp ignores names
 * that an architecture lacks). All others fail with EPERM. Omitted on purpose, because they reach beyond the container
 * or expose much kernel code for little use: mounting, modules, kexec, namespaces, bpf, perf, keyrings, clocks, swap,
 * quota, userfaultfd, io_uring, raw I/O ports, and the oldest compatibility calls.
 */

const files =
  'access chdir chmod chown chown32 close close_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fadvise64_64 ' +
  'fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync flock fstat fstat64 ' +
  'fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 ioctl lchown lchown32 ' +
  'link linkat lseek _llseek lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 ' +
  'readahead readlink readlinkat rename renameat renameat2 rmdir stat stat64 statfs statfs64 statx symlink symlinkat ' +
  'sync sync_file_range sync_file_range2 syncfs truncate truncate64 umask unlink unlinkat utime utimensat ' +
  'utimensat_time64 utimes cachestat statmount listmount';

const extendedAttributes =
  'fgetxattr flistxattr fremovexattr fsetxattr getxattr lgetxattr listxattr llistxattr lremovexattr lsetxattr ' +
  'removexattr setxattr getxattrat listxattrat removexattrat setxattrat';

const reading =
  'copy_file_range pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readv sendfile sendfile64 splice tee ' +
  'vmsplice write writev';

const waiting =
  'epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd ' +
  'eventfd2 inotify_add_watch inotify_init inotify_init1 inotify_rm_watch poll ppoll ppoll_time64 pselect6 ' +
  'pselect6_time64 select _newselect fanotify_mark io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 ' +
  'io_setup io_submit';

const memory =
  'brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect ' +
  'mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages';

const processes =
  'execve execveat exit exit_group fork vfork getpgid getpgrp getpid getppid getpriority getsid gettid kill pause ' +
  'pidfd_open pidfd_send_signal prctl arch_prctl setpgid setpriority setsid tgkill tkill wait4 waitid waitpid ' +
  'capget capset get_robust_list set_robust_list get_thread_area set_thread_area set_tid_address rseq seccomp ' +
  'landlock_add_rule landlock_create_ruleset landlock_restrict_self getrlimit setrlimit ugetrlimit prlimit64 getrusage ' +
  'ioprio_get ioprio_set sysinfo times uname getcpu process_vm_readv process_vm_writev ptrace modify_ldt';

const scheduling =
  'sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min ' +
  'sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler ' +
  'sched_yield';

const identities =
  'getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32 getresuid ' +
  'getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid ' +
  'setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32';

const signals =
  'alarm getitimer setitimer restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn ' +
  'rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack signalfd ' +
  'signalfd4 sigprocmask sigreturn';

const time =
  'clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 gettimeofday ' +
  'nanosleep time adjtimex clock_adjtime clock_adjtime64 timer_create timer_delete timer_getoverrun timer_gettime ' +
  'timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime ' +
  'timerfd_settime64';

const synchronisation =
  'futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue ipc mq_getsetattr mq_notify mq_open ' +
  'mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl ' +
  'semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget uretprobe';

const sockets =
  'accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 recvmsg ' +
  'send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair getrandom';

/** 32-bit arm and the like, where the table has calls of its own. */
const architectureCalls = 'arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls';

export const allowedSyscalls: readonly string[] = [
  ...new Set(
    [
      files,
      extendedAttributes,
      reading,
      waiting,
      memory,
      processes,
      scheduling,
      identities,
      signals,
      time,
      synchronisation,
      sockets,
      architectureCalls,
    ]
      .join(' ')
      .split(' '),
  ),
];

/** Calls allowed with a capability. */
export const syscallsByCapability: Readonly<Record<string, string>> = {
  CAP_DAC_READ_SEARCH: 'open_by_handle_at',
  CAP_SYS_ADMIN:
    'bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount ' +
    'lsm_get_self_attr lsm_list_modules lsm_set_self_attr open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare',
  CAP_SYS_BOOT: 'reboot',
  CAP_SYS_CHROOT: 'chroot',
  CAP_SYS_MODULE: 'delete_module finit_module init_module',
  CAP_SYS_PACCT: 'acct',
  CAP_SYS_PTRACE: 'kcmp pidfd_getfd process_madvise',
  CAP_SYS_RAWIO: 'ioperm iopl',
  CAP_SYS_TIME: 'clock_settime clock_settime64 settimeofday stime',
  CAP_SYS_TTY_CONFIG: 'vhangup',
  CAP_SYS_NICE: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node',
  CAP_SYSLOG: 'syslog',
  CAP_BPF: 'bpf',
  CAP_PERFMON: 'perf_event_open',
};
