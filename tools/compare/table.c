/* SPDX-License-Identifier: MIT
 *
 * The comparison as text: who served, a table, and what it means in sentences.
 */
#include "compare.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_NOISY       0.10 /* wall times that spread further are not to be relied on */
#define TABLE_NAMES_SHOWN 4

/* ---- Figures of subjects --------------------------------------------------------------------- */

size_t compare_samples(const struct compare_subject *subject, enum compare_metric metric) {
    return metric == COMPARE_FINAL || metric == COMPARE_CALLS ? 1 : subject->runs;
}

bool compare_measured(const struct compare_subject *subject, enum compare_metric metric) {
    return subject->problem[0] == '\0' && subject->sample[metric] != NULL;
}

double compare_median(const struct compare_subject *subject, enum compare_metric metric) {
    return figures_median(subject->sample[metric], compare_samples(subject, metric));
}

struct figures_ratio compare_ratio(const struct compare_subject *ours,
                                   const struct compare_subject *theirs,
                                   enum compare_metric metric) {
    return figures_ratio(ours->sample[metric], theirs->sample[metric],
                         compare_samples(ours, metric));
}

/* ---- Who serves ------------------------------------------------------------------------------ */

/* "python3, cc1plus and others: /usr/lib/..." from lines "program\tlibrary" of one library. */
static void table_print_programs(const char *served) {
    const char *shown[TABLE_NAMES_SHOWN];
    size_t count = 0, left_out = 0;
    for (const char *line = served; *line != '\0'; line = strchr(line, '\n') + 1) {
        const size_t length = strcspn(line, "\t") + 1;
        bool known = false;
        for (size_t i = 0; i < count; i++) known |= strncmp(shown[i], line, length) == 0;
        if (known) continue;
        if (count == TABLE_NAMES_SHOWN) left_out = 1;
        else shown[count++] = line;
    }
    for (size_t i = 0; i < count; i++) {
        printf("%s%.*s", i ? ", " : "", (int)strcspn(shown[i], "\t"), shown[i]);
    }
    const char *library = strchr(served, '\t') + 1;
    printf("%s: %.*s\n", left_out ? " and others" : "", (int)strcspn(library, "\n"), library);
}

void table_print_served(const struct compare_plan *plan) {
    printf("Who serves malloc\n");
    for (size_t i = 0; i < plan->subjects; i++) {
        const struct compare_subject *subject = &plan->subject[i];
        printf("  %-12s ", subject->name);
        if (subject->problem[0] != '\0') printf("left out: %s\n", subject->problem);
        else table_print_programs(subject->served);
    }
}

/* ---- The table ------------------------------------------------------------------------------- */

/* What ratios are shown of: time and memory. */
static void table_compared(const struct compare_plan *plan, enum compare_metric out[2]) {
    out[0] = COMPARE_CPU;
    out[1] = plan->load == NULL ? COMPARE_PEAK : COMPARE_IDLE;
}

static void table_print_ratio(const struct figures_ratio *ratio) {
    char interval[32] = "";
    if (!isnan(ratio->low)) {
        snprintf(interval, sizeof interval, "[%.3f %.3f]", ratio->low, ratio->high);
    }
    printf("  %6.3f %-13s", ratio->ratio, interval);
}

static void table_print_head(const struct compare_plan *plan, const enum compare_metric *compared) {
    const struct compare_subject *baseline = &plan->subject[plan->baseline];
    printf("\n%-12s", "");
    for (int metric = 0; metric < COMPARE_METRICS; metric++) {
        if (compare_measured(baseline, metric)) printf(" %9s", compare_metric[metric].title);
    }
    for (int i = 0; i < 2; i++) {
        char title[32];
        snprintf(title, sizeof title, "%.*s / glibc's",
                 (int)strcspn(compare_metric[compared[i]].title, " "),
                 compare_metric[compared[i]].title);
        printf("  %-20s", title);
    }
    printf("\n");
}

static void table_print_row(const struct compare_plan *plan, const struct compare_subject *subject,
                            const enum compare_metric *compared) {
    const struct compare_subject *baseline = &plan->subject[plan->baseline];
    printf("%-12s", subject->name);
    for (int metric = 0; metric < COMPARE_METRICS; metric++) {
        const struct compare_metric_row *row = &compare_metric[metric];
        if (!compare_measured(baseline, metric)) continue;
        if (!compare_measured(subject, metric)) printf(" %9s", "-");
        else printf(" %9.*f", row->digits, compare_median(subject, metric) / row->divide);
    }
    for (int i = 0; i < 2; i++) {
        const struct figures_ratio ratio = compare_ratio(subject, baseline, compared[i]);
        table_print_ratio(&ratio);
    }
    printf("\n");
}

void table_print(const struct compare_plan *plan) {
    enum compare_metric compared[2];
    table_compared(plan, compared);
    table_print_head(plan, compared);
    for (size_t i = 0; i < plan->subjects; i++) {
        const struct compare_subject *subject = &plan->subject[i];
        if (subject->problem[0] == '\0') table_print_row(plan, subject, compared);
        else printf("%-12s %s\n", subject->name, subject->problem);
    }
}

/* ---- The verdict ----------------------------------------------------------------------------- */

/* hakmem's place among the allocators as they come; *best is the first of the others. */
static size_t table_place(const struct compare_plan *plan, enum compare_metric metric,
                          const struct compare_subject **best, size_t *all) {
    const struct compare_subject *ours = &plan->subject[plan->ours];
    size_t place = 1;
    *best = NULL;
    *all = 1;
    for (size_t i = 0; i < plan->subjects; i++) {
        const struct compare_subject *other = &plan->subject[i];
        if (other == ours || other->settings[0] != NULL || !compare_measured(other, metric)) {
            continue;
        }
        ++*all;
        if (compare_median(other, metric) < compare_median(ours, metric)) place++;
        if (*best == NULL || compare_median(other, metric) < compare_median(*best, metric)) {
            *best = other;
        }
    }
    return place;
}

/* "Processor time: 0.930 x glibc's (95 %: 0.921 to 0.944); 2nd of 6, ..." */
static void table_say(FILE *out, const struct compare_plan *plan, enum compare_metric metric,
                      const char *what) {
    const struct compare_subject *ours = &plan->subject[plan->ours], *best;
    size_t all;
    const struct figures_ratio ratio = compare_ratio(ours, &plan->subject[plan->baseline], metric);
    const size_t place = table_place(plan, metric, &best, &all);
    fprintf(out, "%s: on hakmem %.3f x that on glibc", what, ratio.ratio);
    if (!isnan(ratio.low)) {
        fprintf(out, " (95 %%: %.3f to %.3f%s)", ratio.low, ratio.high,
                ratio.low <= 1 && ratio.high >= 1 ? ", no difference that these runs can show"
                                                  : "");
    }
    fprintf(out, "; place %zu of %zu", place, all);
    if (best != NULL && all > 2) {
        const struct figures_ratio to_best = compare_ratio(ours, best, metric);
        fprintf(out, ", %.3f x the best other's (%s)", to_best.ratio, best->name);
    }
    fprintf(out, ".\n");
}

static void table_say_output(FILE *out, const struct compare_plan *plan) {
    if (plan->load != NULL) return;
    if (plan->subject[plan->baseline].other_output > 0) {
        fprintf(out, "The output varies from run to run on glibc itself; it was not compared.\n");
        return;
    }
    bool same = true;
    for (size_t i = 0; i < plan->subjects; i++) {
        const struct compare_subject *subject = &plan->subject[i];
        if (subject->other_output == 0) continue;
        same = false;
        fprintf(out, "The output on %s differs from that on glibc in %zu of %zu runs.\n",
                subject->name, subject->other_output, subject->runs + 1);
    }
    if (same) fprintf(out, "The output was the same in all runs.\n");
}

char *table_verdict(const struct compare_plan *plan) {
    const struct compare_subject *ours = &plan->subject[plan->ours];
    enum compare_metric compared[2];
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) compare_fail("no memory for the verdict");
    table_compared(plan, compared);
    if (ours->problem[0] != '\0') {
        fprintf(out, "The program does not run on hakmem: %s\n", ours->problem);
    } else {
        table_say(out, plan, COMPARE_CPU, "Processor time");
        table_say(out, plan, compared[1],
                  plan->load == NULL ? "Peak memory" : "Memory one second after the load");
        const double spread = figures_spread(ours->sample[COMPARE_WALL], ours->runs);
        if (spread > TABLE_NOISY) {
            fprintf(out,
                    "Wall time spread by %.0f %%: this machine was busy, or the program waits.\n",
                    spread * 100);
        }
    }
    table_say_output(out, plan);
    fclose(out);
    return text;
}
