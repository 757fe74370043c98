/* SPDX-License-Identifier: MIT
 *
 * The comparison as JSON (RFC 8259), with every sample.
 */
#include "compare.h"

#include "../file.h"
#include "../json.h"

#include <sys/utsname.h>
#include <unistd.h>

#define JSON_VERSION 1

static void json_texts(FILE *out, char **texts) {
    fputc('[', out);
    for (size_t i = 0; texts[i] != NULL; i++) {
        if (i > 0) fputs(", ", out);
        json_text(out, texts[i]);
    }
    fputc(']', out);
}

static void json_number(FILE *out, double value) {
    if (isfinite(value)) fprintf(out, "%.9g", value);
    else fputs("null", out);
}

static void json_metric(FILE *out, const struct compare_plan *plan,
                        const struct compare_subject *subject, enum compare_metric metric) {
    const struct compare_subject *baseline = &plan->subject[plan->baseline];
    const struct figures_ratio ratio = compare_ratio(subject, baseline, metric);
    const size_t count = compare_samples(subject, metric);
    fprintf(out, "\"%s\": {\"median\": ", compare_metric[metric].key);
    json_number(out, compare_median(subject, metric));
    fputs(", \"ratio_to_glibc\": ", out);
    json_number(out, ratio.ratio);
    fputs(", \"low\": ", out);
    json_number(out, ratio.low);
    fputs(", \"high\": ", out);
    json_number(out, ratio.high);
    fputs(", \"samples\": [", out);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) fputs(", ", out);
        json_number(out, subject->sample[metric][i]);
    }
    fputs("]}", out);
}

static void json_subject(FILE *out, const struct compare_plan *plan,
                         const struct compare_subject *subject) {
    fputs("    {\"name\": ", out);
    json_text(out, subject->name);
    fputs(", \"preload\": ", out);
    json_text(out, subject->preload);
    fputs(", \"settings\": ", out);
    json_texts(out, subject->settings);
    fputs(", \"problem\": ", out);
    if (subject->problem[0] == '\0') fputs("null", out);
    else json_text(out, subject->problem);
    fprintf(out, ", \"runs\": %zu, \"other_output\": %zu,\n     \"metrics\": {", subject->runs,
            subject->other_output);
    const char *separator = "";
    for (int metric = 0; metric < COMPARE_METRICS; metric++) {
        if (!compare_measured(subject, metric)) continue;
        fputs(separator, out);
        json_metric(out, plan, subject, metric);
        separator = ",\n                 ";
    }
    fputs("}}", out);
}

bool json_write(const struct compare_plan *plan, const char *verdict) {
    struct file file;
    struct utsname system;
    if (plan->json == NULL) return true;
    if (!file_open(&file, plan->json)) return false;
    FILE *out = file.out;
    uname(&system);
    fprintf(out, "{\n  \"version\": %d,\n  \"command\": ", JSON_VERSION);
    json_texts(out, plan->program);
    fprintf(out, ",\n  \"machine\": {\"processors\": %ld, \"architecture\": ",
            sysconf(_SC_NPROCESSORS_ONLN));
    json_text(out, system.machine);
    fputs(", \"kernel\": ", out);
    json_text(out, system.release);
    fprintf(out, "},\n  \"server\": %s,\n  \"verdict\": ", plan->load ? "true" : "false");
    json_text(out, verdict);
    fputs(",\n  \"allocators\": [\n", out);
    for (size_t i = 0; i < plan->subjects; i++) {
        json_subject(out, plan, &plan->subject[i]);
        fputs(i + 1 < plan->subjects ? ",\n" : "\n", out);
    }
    fputs("  ]\n}\n", out);
    return file_close(&file);
}
