/* Preloaded into a service by tests/it/flow/sled.rs: writes, syncs and renamings of files under its ledger fail while a file says so. The
 * file (TELLTALE_TEST_SWITCH) holds: a name for this fault, which call fails first, how many do, errno. Whatever fails adds a line to
 * the file beside it that ends with ".felt". It touches no other file. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long name_before = -1, calls;

static int path_fails(const char *of, const char *what) {
    char path[4096], text[128];
    const char *control = getenv("TELLTALE_TEST_SWITCH");
    if (!control || !strstr(of, "/data/ledger/")) return 0;
    int file = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = syscall(SYS_read, file, text, sizeof text - 1);
    syscall(SYS_close, file);
    if (length <= 0) return 0;
    text[length] = 0;
    long name, first, count;
    int error, felt = 0;
    if (sscanf(text, "%ld %ld %ld %d", &name, &first, &count, &error) != 4) return 0;
    pthread_mutex_lock(&lock);
    if (name != name_before) name_before = name, calls = 0;
    calls++;
    if (calls >= first && calls < first + count) felt = error;
    pthread_mutex_unlock(&lock);
    if (felt) {
        snprintf(path, sizeof path, "%s.felt", control);
        length = snprintf(text, sizeof text, "%ld %s\n", name, what);
        file = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (file >= 0) {
            if (syscall(SYS_write, file, text, length) < 0) felt = error;
            syscall(SYS_close, file);
        }
    }
    return felt;
}

static int fails(int fd, const char *what) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return path_fails(path, what);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAILING(what) do { int error = fails(fd, what); if (error) { errno = error; return -1; } } while (0)

/* A failing write has written half. */
#define PLACED(name, offset_type)                                                      \
    ssize_t name(int fd, const void *bytes, size_t count, offset_type offset) {        \
        int error = fails(fd, "write");                                                \
        ssize_t written = REAL(name)(fd, bytes, error ? count / 2 : count, offset);    \
        if (error) { errno = error; return -1; }                                       \
        return written;                                                                \
    }
PLACED(pwrite, off_t)
PLACED(pwrite64, off64_t)

ssize_t write(int fd, const void *bytes, size_t count) {
    FAILING("write");
    return REAL(write)(fd, bytes, count);
}

int rename(const char *from, const char *to) {
    int error = path_fails(to, "rename");
    if (error) { errno = error; return -1; }
    return REAL(rename)(from, to);
}

int fsync(int fd) {
    FAILING("sync");
    return REAL(fsync)(fd);
}

int fdatasync(int fd) {
    FAILING("sync");
    return REAL(fdatasync)(fd);
}

int sync_file_range(int fd, off64_t offset, off64_t count, unsigned int flags) {
    FAILING("sync");
    return REAL(sync_file_range)(fd, offset, count, flags);
}

int ftruncate(int fd, off_t length) {
    FAILING("length");
    return REAL(ftruncate)(fd, length);
}

int ftruncate64(int fd, off64_t length) {
    FAILING("length");
    return REAL(ftruncate64)(fd, length);
}
