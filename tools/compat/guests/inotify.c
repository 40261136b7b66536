/* inotify(7): the events of one watched directory and of one file, in order. */
#include "show.h"
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

static void drain(int fd, const char *what) {
    char buffer[8192] __attribute__((aligned(8)));
    printf("%s:\n", what);
    for (;;) {
        ssize_t count = read(fd, buffer, sizeof buffer);
        if (count < 0) {
            if (errno != EAGAIN) printf("read: %s\n", strerrorname_np(errno));
            return;
        }
        for (char *at = buffer; at < buffer + count;) {
            struct inotify_event *event = (struct inotify_event *)at;
            printf("  wd %d mask %#x cookie %s name \"%s\"\n", event->wd, event->mask, event->cookie ? "set" : "0",
                   event->len ? event->name : "");
            at += sizeof *event + event->len;
        }
    }
}

int main(void) {
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    SHOW(mkdir("d", 0755));
    SHOW(inotify_add_watch(fd, "d", IN_ALL_EVENTS));
    int file = open("d/f", O_CREAT | O_RDWR, 0644);
    write(file, "x", 1);
    drain(fd, "create, open, modify");
    char byte;
    pread(file, &byte, 1, 0);
    fchmod(file, 0600);
    ftruncate(file, 0);
    close(file);
    drain(fd, "access, attrib, modify, close");
    rename("d/f", "d/g");
    link("d/g", "d/h");
    symlink("g", "d/s");
    mkdir("d/sub", 0755);
    rmdir("d/sub");
    drain(fd, "rename, link, symlink, mkdir, rmdir");
    SHOW(inotify_add_watch(fd, "d/g", IN_ATTRIB | IN_DELETE_SELF | IN_ONESHOT));
    unlink("d/h");
    chmod("d/g", 0644);
    unlink("d/g");
    drain(fd, "unlink, oneshot");
    SHOW(inotify_add_watch(fd, "d", IN_CREATE | IN_MASK_ADD));
    SHOW(inotify_add_watch(fd, "d", IN_CREATE | IN_ONLYDIR));
    SHOW(inotify_add_watch(fd, "d/s", IN_CREATE));
    SHOW(inotify_add_watch(fd, "d/s", IN_CREATE | IN_DONT_FOLLOW | IN_ONLYDIR));
    SHOW(inotify_add_watch(fd, "d", 0));
    SHOW(inotify_rm_watch(fd, 77));
    SHOW(inotify_rm_watch(0, 1));
    SHOW(inotify_rm_watch(fd, 1));
    drain(fd, "ignored");
    SHOW(inotify_add_watch(fd, "d", IN_DELETE_SELF));
    unlink("d/s");
    rmdir("d");
    drain(fd, "delete self");
    return 0;
}
