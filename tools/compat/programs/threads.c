#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static long counter;
static int turn;

static void *count(void *arg) {
    (void)arg;
    for (int i = 0; i < 20000; i++) {
        pthread_mutex_lock(&lock);
        counter++;
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void *ping(void *arg) {
    int me = (int)(long)arg;
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&lock);
        while (turn != me) pthread_cond_wait(&turned, &lock);
        turn = !me;
        pthread_cond_signal(&turned);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[6];
    for (long i = 0; i < 4; i++) pthread_create(&threads[i], NULL, count, NULL);
    for (long i = 0; i < 2; i++) pthread_create(&threads[4 + i], NULL, ping, (void *)i);
    for (int i = 0; i < 6; i++) pthread_join(threads[i], NULL);
    printf("%ld %d\n", counter, turn);
    return 0;
}
