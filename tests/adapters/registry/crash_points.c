/* Ends the process at its N-th change of a file or a socket: loaded with LD_PRELOAD, armed from Python.

   crash_arm(n, torn): count from here; at the n-th call die before it (torn = 0), or after half of what it writes (torn = 1).
   crash_seen(): how many calls there were since. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long left, seen;
static int torn;

void crash_arm(long n, int in_the_middle) {
    torn = in_the_middle;
    atomic_store(&seen, 0);
    atomic_store(&left, n);
}

long crash_seen(void) { return atomic_load(&seen); }

static int is_due(void) {
    atomic_fetch_add(&seen, 1);
    return atomic_load(&left) > 0 && atomic_fetch_sub(&left, 1) == 1;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

#define NEXT(name) static __typeof__(&name) next; if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* Calls that write `size` bytes: the torn one writes half of them. */
#define WRITES(name, parameters, whole, half) \
    ssize_t name parameters { NEXT(name); if (is_due()) { if (torn) (void)!next half; die(); } return next whole; }
/* Calls that happen or do not: the torn one happens, and nothing after it. */
#define CHANGES(name, parameters, arguments) \
    int name parameters { NEXT(name); if (is_due()) { if (torn) (void)!next arguments; die(); } return next arguments; }

WRITES(write, (int fd, const void *from, size_t size), (fd, from, size), (fd, from, size / 2))
WRITES(pwrite, (int fd, const void *from, size_t size, off_t at), (fd, from, size, at), (fd, from, size / 2, at))
WRITES(pwrite64, (int fd, const void *from, size_t size, off64_t at), (fd, from, size, at), (fd, from, size / 2, at))
WRITES(writev, (int fd, const struct iovec *from, int count), (fd, from, count), (fd, from, count / 2))
WRITES(send, (int fd, const void *from, size_t size, int flags), (fd, from, size, flags), (fd, from, size / 2, flags))
WRITES(sendto, (int fd, const void *from, size_t size, int flags, const struct sockaddr *to, socklen_t length),
       (fd, from, size, flags, to, length), (fd, from, size / 2, flags, to, length))
WRITES(sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags), (fd, message, flags))
CHANGES(rename, (const char *from, const char *to), (from, to))
CHANGES(renameat, (int at, const char *from, int other, const char *to), (at, from, other, to))
CHANGES(renameat2, (int at, const char *from, int other, const char *to, unsigned flags), (at, from, other, to, flags))
CHANGES(link, (const char *from, const char *to), (from, to))
CHANGES(unlink, (const char *path), (path))
CHANGES(unlinkat, (int at, const char *path, int flags), (at, path, flags))
CHANGES(mkdir, (const char *path, mode_t mode), (path, mode))
CHANGES(mkdirat, (int at, const char *path, mode_t mode), (at, path, mode))
CHANGES(rmdir, (const char *path), (path))
CHANGES(chmod, (const char *path, mode_t mode), (path, mode))
CHANGES(fchmod, (int fd, mode_t mode), (fd, mode))
CHANGES(fchmodat, (int at, const char *path, mode_t mode, int flags), (at, path, mode, flags))
CHANGES(fsync, (int fd), (fd))
CHANGES(fdatasync, (int fd), (fd))
CHANGES(ftruncate, (int fd, off_t size), (fd, size))
CHANGES(ftruncate64, (int fd, off64_t size), (fd, size))
