/* Keys and keyrings, keyrings(7), add_key(2), request_key(2) and keyctl(2): links, rights, lives, and every error. */
#include "show.h"
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static long add(const char *type, const char *description, const char *payload, int ring) {
    return syscall(SYS_add_key, type, description, payload, payload == NULL ? 0 : strlen(payload), ring);
}
static long request(const char *type, const char *description, int ring) {
    return syscall(SYS_request_key, type, description, NULL, ring);
}
static long ctl(int operation, long a, long b, long c, long d) {
    return syscall(SYS_keyctl, operation, a, b, c, d);
}

static void describe(const char *what, long key) {
    char text[200] = "";
    long len = ctl(KEYCTL_DESCRIBE, key, (long)text, sizeof text, 0);
    if (len < 0) printf("%s: %s\n", what, strerrorname_np(errno));
    else printf("%s: %ld bytes %s\n", what, len, text);
    fflush(stdout);
}

static void payload(const char *what, long key) {
    char text[200] = "";
    long len = ctl(KEYCTL_READ, key, (long)text, sizeof text - 1, 0);
    if (len < 0) printf("%s: %s\n", what, strerrorname_np(errno));
    else printf("%s: %ld bytes %s\n", what, len, text);
    fflush(stdout);
}

static void keys(void) {
    long ring = must("session", ctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0));
    describe("session", ring);
    long key = must("add", add("user", "name", "secret", KEY_SPEC_SESSION_KEYRING));
    describe("key", key);
    payload("key", key);
    SHOW(add("user", "name", "other", KEY_SPEC_SESSION_KEYRING) == key);
    payload("updated", key);
    char small[2] = "";
    SHOW(ctl(KEYCTL_READ, key, (long)small, 2, 0));
    printf("%d\n", small[0]);
    SHOW(ctl(KEYCTL_READ, key, 0, 0, 0));
    SHOW(ctl(KEYCTL_READ, key, 8, 100, 0));
    SHOW(add("user", "name", NULL, KEY_SPEC_SESSION_KEYRING));
    SHOW(add("user", "", "x", KEY_SPEC_SESSION_KEYRING));
    SHOW(add("none", "name", "x", KEY_SPEC_SESSION_KEYRING));
    SHOW(add(".dot", "name", "x", KEY_SPEC_SESSION_KEYRING));
    SHOW(add("", "name", "x", KEY_SPEC_SESSION_KEYRING));
    SHOW(add("keyring", ".name", NULL, KEY_SPEC_SESSION_KEYRING));
    SHOW(add("keyring", "name", "x", KEY_SPEC_SESSION_KEYRING));
    SHOW(add("logon", "plain", "x", KEY_SPEC_SESSION_KEYRING));
    SHOW(add("logon", ":plain", "x", KEY_SPEC_SESSION_KEYRING));
    SHOW(add("user", "name", "x", (int)key));
    SHOW(add("user", "name", "x", 0));
    SHOW(add("user", "name", "x", 0x7ffffffe));
    SHOW(add("user", "name", "x", KEY_SPEC_GROUP_KEYRING));
    SHOW(syscall(SYS_add_key, 8, "name", "x", 1, KEY_SPEC_SESSION_KEYRING));
    SHOW(syscall(SYS_add_key, "user", 8, "x", 1, KEY_SPEC_SESSION_KEYRING));
    SHOW(syscall(SYS_add_key, "user", "name", 8, 1, KEY_SPEC_SESSION_KEYRING));
    SHOW(syscall(SYS_add_key, "user", "name", "x", 1 << 20, KEY_SPEC_SESSION_KEYRING));
    long logon = must("logon", add("logon", "service:name", "hidden", KEY_SPEC_SESSION_KEYRING));
    describe("logon", logon);
    payload("logon", logon);
    SHOW(ctl(KEYCTL_UPDATE, key, (long)"third", 5, 0));
    payload("third", key);
    SHOW(ctl(KEYCTL_UPDATE, ring, (long)"x", 1, 0));
    SHOW(ctl(KEYCTL_UPDATE, key, (long)"", 0, 0));
    char text[10];
    SHOW(ctl(KEYCTL_GET_SECURITY, key, (long)text, sizeof text, 0) >= 1);
    SHOW(ctl(KEYCTL_READ, ring, 0, 0, 0));
    SHOW(ctl(99, 0, 0, 0, 0));
}

static void rings(void) {
    long session = must("id", ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0));
    SHOW(ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 0, 0, 0));
    SHOW(ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0, 0, 0));
    long thread = must("id", ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 1, 0, 0));
    long process = must("id", ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1, 0, 0));
    describe("thread", thread);
    describe("process", process);
    describe("user", KEY_SPEC_USER_KEYRING);
    describe("user session", KEY_SPEC_USER_SESSION_KEYRING);
    SHOW(ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_REQKEY_AUTH_KEY, 0, 0, 0));
    long a = must("a", add("keyring", "a", NULL, KEY_SPEC_SESSION_KEYRING));
    long b = must("b", add("keyring", "b", NULL, (int)a));
    describe("ring", a);
    long inner = must("inner", add("user", "inner", "deep", (int)b));
    SHOW(ctl(KEYCTL_LINK, a, b, 0, 0));
    SHOW(ctl(KEYCTL_LINK, a, a, 0, 0));
    SHOW(ctl(KEYCTL_LINK, a, inner, 0, 0));
    SHOW(ctl(KEYCTL_LINK, 12345, a, 0, 0));
    SHOW(ctl(KEYCTL_SEARCH, session, (long)"user", (long)"inner", 0) == inner);
    SHOW(ctl(KEYCTL_SEARCH, a, (long)"user", (long)"absent", 0));
    SHOW(ctl(KEYCTL_SEARCH, a, (long)"none", (long)"inner", 0));
    SHOW(ctl(KEYCTL_SEARCH, inner, (long)"user", (long)"inner", 0));
    SHOW(request("user", "inner", 0) == inner);
    SHOW(request("user", "inner", (int)thread) == inner);
    SHOW(ctl(KEYCTL_READ, thread, 0, 0, 0));
    SHOW(request("user", "absent", 0));
    SHOW(request("none", "absent", 0));
    SHOW(ctl(KEYCTL_UNLINK, inner, thread, 0, 0));
    SHOW(ctl(KEYCTL_UNLINK, inner, thread, 0, 0));
    SHOW(ctl(KEYCTL_UNLINK, inner, inner, 0, 0));
    SHOW(ctl(KEYCTL_MOVE, inner, b, process, 0));
    SHOW(ctl(KEYCTL_MOVE, inner, b, process, 0));
    SHOW(ctl(KEYCTL_MOVE, inner, process, process, 0));
    long rival = must("rival", add("user", "inner", "rival", (int)b));
    SHOW(ctl(KEYCTL_MOVE, inner, process, b, KEYCTL_MOVE_EXCL));
    SHOW(ctl(KEYCTL_MOVE, inner, process, b, 2));
    SHOW(ctl(KEYCTL_MOVE, inner, process, b, 0));
    (void)rival;
    SHOW(ctl(KEYCTL_CLEAR, b, 0, 0, 0));
    SHOW(ctl(KEYCTL_CLEAR, must("add", add("user", "plain", "x", (int)b)), 0, 0, 0));
    long nested = a;
    for (int i = 0; i < 8 && nested > 0; i++) {
        char name[10];
        sprintf(name, "n%d", i);
        nested = SHOW_OK(add("keyring", name, NULL, (int)nested));
    }
    SHOW(ctl(KEYCTL_SET_REQKEY_KEYRING, 6, 0, 0, 0));
    SHOW(ctl(KEYCTL_SET_REQKEY_KEYRING, 1, 0, 0, 0));
    SHOW(ctl(KEYCTL_SET_REQKEY_KEYRING, -1, 0, 0, 0));
    SHOW(ctl(KEYCTL_ASSUME_AUTHORITY, 0, 0, 0, 0));
    SHOW(ctl(KEYCTL_ASSUME_AUTHORITY, -1, 0, 0, 0));
    SHOW(ctl(KEYCTL_INSTANTIATE, a, (long)"x", 1, 0));
    fflush(stdout);
    if (fork() == 0) {
        SHOW(ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0) == session);
        SHOW(ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 0, 0, 0));
        SHOW(ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0, 0, 0));
        SHOW_OK(ctl(KEYCTL_JOIN_SESSION_KEYRING, (long)"named", 0, 0, 0));
        describe("named", KEY_SPEC_SESSION_KEYRING);
        SHOW(ctl(KEYCTL_JOIN_SESSION_KEYRING, (long)".named", 0, 0, 0));
        exit(0);
    }
    wait(NULL);
}

static void rights(void) {
    long key = must("add", add("user", "mine", "secret", KEY_SPEC_SESSION_KEYRING));
    SHOW(ctl(KEYCTL_SETPERM, key, 0x3f3f3f3f, 0, 0));
    SHOW(ctl(KEYCTL_SETPERM, key, 0x40000000, 0, 0));
    SHOW(ctl(KEYCTL_SETPERM, key, 0x3d3f0000, 0, 0));
    describe("rights", key);
    SHOW(ctl(KEYCTL_SETPERM, key, 0x29000000, 0, 0));
    payload("found by searching", key);
    SHOW(ctl(KEYCTL_LINK, key, KEY_SPEC_SESSION_KEYRING, 0, 0));
    SHOW(ctl(KEYCTL_UPDATE, key, (long)"x", 1, 0));
    SHOW(ctl(KEYCTL_SETPERM, key, 0x3f010000, 0, 0));
    SHOW(ctl(KEYCTL_CHOWN, key, 1000, -1, 0));
    SHOW(ctl(KEYCTL_CHOWN, key, -1, 1000, 0));
    describe("owned", key);
    SHOW(ctl(KEYCTL_SET_TIMEOUT, key, 100, 0, 0));
    SHOW(ctl(KEYCTL_SET_TIMEOUT, key, 0, 0, 0));
    fflush(stdout);
    if (fork() == 0) {
        must("session", ctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0));
        must("setgid", setgid(77));
        must("setuid", setuid(2000));
        describe("others", key);
        payload("others", key);
        SHOW(ctl(KEYCTL_REVOKE, key, 0, 0, 0));
        SHOW(ctl(KEYCTL_SETPERM, key, 0x3f3f3f3f, 0, 0));
        long own = must("add", add("user", "own", "x", KEY_SPEC_PROCESS_KEYRING));
        SHOW(ctl(KEYCTL_CHOWN, own, 1000, -1, 0));
        SHOW(ctl(KEYCTL_CHOWN, own, -1, 1000, 0));
        SHOW(ctl(KEYCTL_CHOWN, own, 2000, 77, 0));
        int count = 0;
        char name[20];
        for (; count < 300; count++) {
            sprintf(name, "many %d", count);
            if (add("user", name, "x", KEY_SPEC_PROCESS_KEYRING) < 0) break;
        }
        printf("stopped: %d %s\n", count > 100 && count < 200, strerrorname_np(errno));
        fflush(stdout);
        exit(0);
    }
    wait(NULL);
    SHOW(ctl(KEYCTL_REVOKE, key, 0, 0, 0));
    payload("revoked", key);
    describe("revoked", key);
    SHOW(request("user", "mine", 0));
    SHOW(ctl(KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, (long)"user", (long)"mine", 0));
    SHOW(ctl(KEYCTL_REVOKE, key, 0, 0, 0));
    long fading = must("add", add("user", "fading", "x", KEY_SPEC_SESSION_KEYRING));
    SHOW(ctl(KEYCTL_SET_TIMEOUT, fading, 1, 0, 0));
    sleep(2);
    payload("expired", fading);
    SHOW(request("user", "fading", 0));
    SHOW(ctl(KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, (long)"user", (long)"fading", 0));
    long gone = must("add", add("user", "gone", "x", KEY_SPEC_SESSION_KEYRING));
    SHOW(ctl(KEYCTL_INVALIDATE, gone, 0, 0, 0));
    describe("invalidated", gone);
    SHOW(request("user", "gone", 0));
}

static void hidden(void) {
    long key = must("add", add("user", "hidden", "secret", KEY_SPEC_SESSION_KEYRING));
    SHOW(ctl(KEYCTL_SETPERM, key, 0x21000000, 0, 0));
    payload("not to be searched", key);
    describe("not to be searched", key);
    SHOW(ctl(KEYCTL_SETPERM, key, 0x3f010000, 0, 0));
}

int main(void) {
    keys();
    rings();
    rights();
    hidden();
    return 0;
}
