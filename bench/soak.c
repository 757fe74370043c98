/* SPDX-License-Identifier: MIT
 *
 * soak seconds cycles ws seed: random_mixed again and again in one process, to see whether anything
 * drifts.
 *
 * Steps of `cycles` cycles (mix.h), each with its own seed and with the blocks that the step before
 * has left in the slots, until `seconds` have passed.  Writes a line of CSV for each step when it
 * is done:
 *     epoch_s,elapsed_s,iter,throughput_ops_s,peak_rss_mb,rss_mb
 * the time of day, the time since the start, the number of the step, operations a second, and the
 * resident memory so far at most and now, in MiB.
 */
#include "mix.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* stdio would allocate. */
static void say(const char *line, int length) {
    for (int done = 0; done < length;) {
        ssize_t written = write(STDOUT_FILENO, line + done, (size_t)(length - done));
        if (written < 0) bench_fail("standard output: %s", strerror(errno));
        done += (int)written;
    }
}

int main(int argc, char **argv) {
    size_t seconds = 300, cycles = 20000000, slots = 400, seed = 1;
    struct mix mix = {.least = 16, .most = 1039};
    const struct bench_argument arguments[] = {
        {"seconds", &seconds, 1}, {"cycles", &cycles, 1}, {"ws", &slots, 1}, {"seed", &seed, 0}};
    bench_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    if (slots > UINT32_MAX) bench_fail("ws must fit in 32 bits");
    mix.slot_count = (uint32_t)slots;
    mix.slots = calloc(mix.slot_count, sizeof *mix.slots);
    if (!mix.slots) bench_fail("no memory for %zu slots", slots);
    mix_run(&mix, cycles / 10, bench_seed(seed + 0xDEADBEEF));

    static const char head[] = "epoch_s,elapsed_s,iter,throughput_ops_s,peak_rss_mb,rss_mb\n";
    say(head, (int)sizeof head - 1);
    double start = bench_now();
    for (size_t step = 0; bench_now() - start < (double)seconds; step++) {
        double before = bench_now();
        mix_run(&mix, cycles, bench_seed(seed + step));
        double after = bench_now();
        char line[160];
        int length = snprintf(line, sizeof line, "%ld,%.3f,%zu,%.0f,%.3f,%.3f\n", (long)time(NULL),
                              after - start, step, (double)cycles / (after - before),
                              (double)bench_peak_kib() / 1024, (double)bench_resident_kib() / 1024);
        say(line, length);
    }
    mix_drain(&mix);
    free(mix.slots);
    return 0;
}
