/* The measuring loop of programs with many operations. */
#include "clock.h"

struct bench {
    const char *name;
    void (*op)(void);
    void (*begin)(void); /* before the first operation, or NULL */
    void (*end)(void);   /* after the last one, or NULL */
};

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Prints the median over batches that take a hundredth of the budget each, or one operation if that takes longer. */
static void measure(const struct bench *bench, double budget_ns) {
    static double batches[1024];
    int count = 1, taken = 0;
    if (bench->begin != NULL) bench->begin();
    double begin = now_ns();
    for (;;) {
        double start = now_ns();
        for (int i = 0; i < count; i++) bench->op();
        if (now_ns() - start > budget_ns / 100 || count >= 1 << 20) break;
        count *= 2;
    }
    while (taken < 1 || (now_ns() - begin < budget_ns && taken < 1024)) {
        double start = now_ns();
        for (int i = 0; i < count; i++) bench->op();
        batches[taken++] = (now_ns() - start) / count;
    }
    if (bench->end != NULL) bench->end();
    qsort(batches, (size_t)taken, sizeof batches[0], compare);
    printf("%s %.1f\n", bench->name, batches[taken / 2]);
    fflush(stdout);
}

/* Runs those of `table` that are named in the arguments from `first` on. */
static void measure_named(const struct bench *table, int argc, char **argv, int first, double budget_ns) {
    for (int i = first; i < argc; i++) {
        const struct bench *bench = table;
        while (bench->name != NULL && strcmp(bench->name, argv[i]) != 0) bench++;
        must(bench->name != NULL, argv[i]);
        measure(bench, budget_ns);
    }
}
