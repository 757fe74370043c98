/* SPDX-License-Identifier: MIT
 *
 * The comparison as one HTML page that needs nothing else: sentences, a table, and a plot of every
 * metric in which each run is a dot.
 */
#include "compare.h"

#include "../file.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* In pixels. */
#define PAGE_NAMES  130 /* the column of names */
#define PAGE_PLOT   520
#define PAGE_VALUES 110
#define PAGE_ROW    24

static const char page_head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>hakmem compare</title>\n<style>\n"
    "body { font: 15px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }\n"
    "code { background: #eee; padding: 0.1em 0.3em; overflow-wrap: anywhere; }\n"
    "table { border-collapse: collapse; }\n"
    "th, td { padding: 0.2em 0.7em; text-align: right; border-bottom: 1px solid #ddd; }\n"
    "th:first-child, td:first-child { text-align: left; }\n"
    "td { font-variant-numeric: tabular-nums; }\n"
    ".ours td { font-weight: bold; }\n"
    "h2 { font-size: 1.1em; margin: 1.6em 0 0.4em; }\n"
    "svg { max-width: 100%; height: auto; }\n"
    "</style>\n</head>\n<body>\n";

static void page_text(FILE *out, const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '<') fputs("&lt;", out);
        else if (*text == '>') fputs("&gt;", out);
        else if (*text == '&') fputs("&amp;", out);
        else if (*text == '"') fputs("&quot;", out);
        else fputc(*text, out);
    }
}

static void page_intro(FILE *out, const struct compare_plan *plan, const char *verdict) {
    struct utsname system;
    uname(&system);
    fputs("<h1>hakmem compare</h1>\n<p><code>", out);
    for (char **word = plan->program; *word != NULL; word++) {
        if (word != plan->program) fputc(' ', out);
        page_text(out, *word);
    }
    fprintf(out,
            "</code></p>\n<p>%zu measured runs on each allocator, interleaved; %ld processors, ",
            plan->runs, sysconf(_SC_NPROCESSORS_ONLN));
    page_text(out, system.machine);
    fputs(", Linux ", out);
    page_text(out, system.release);
    fputs(".</p>\n<p>", out);
    for (; *verdict != '\0'; verdict++) {
        if (*verdict == '\n') fputs("<br>\n", out);
        else page_text(out, (const char[]){*verdict, '\0'});
    }
    fputs("</p>\n", out);
}

/* ---- The table ------------------------------------------------------------------------------- */

static void page_cell(FILE *out, const struct compare_plan *plan,
                      const struct compare_subject *subject, enum compare_metric metric) {
    const struct compare_metric_row *row = &compare_metric[metric];
    if (!compare_measured(subject, metric)) {
        fputs("<td>-</td>", out);
        return;
    }
    const struct figures_ratio ratio = compare_ratio(subject, &plan->subject[plan->baseline],
                                                     metric);
    fprintf(out, "<td title=\"%.3f x glibc's", ratio.ratio);
    if (!isnan(ratio.low)) fprintf(out, ", 95 %%: %.3f to %.3f", ratio.low, ratio.high);
    fprintf(out, "\">%.*f</td>", row->digits, compare_median(subject, metric) / row->divide);
}

static void page_table(FILE *out, const struct compare_plan *plan) {
    const struct compare_subject *baseline = &plan->subject[plan->baseline];
    fputs("<h2>Medians</h2>\n<table>\n<tr><th></th>", out);
    for (int metric = 0; metric < COMPARE_METRICS; metric++) {
        if (!compare_measured(baseline, metric)) continue;
        fprintf(out, "<th>%s</th>", compare_metric[metric].title);
    }
    fputs("</tr>\n", out);
    for (size_t i = 0; i < plan->subjects; i++) {
        const struct compare_subject *subject = &plan->subject[i];
        fprintf(out, "<tr%s><td>", i == plan->ours ? " class=\"ours\"" : "");
        page_text(out, subject->name);
        fputs("</td>", out);
        for (int metric = 0; metric < COMPARE_METRICS; metric++) {
            if (compare_measured(baseline, metric)) page_cell(out, plan, subject, metric);
        }
        fputs("</tr>\n", out);
    }
    fputs("</table>\n", out);
}

/* ---- Plots ----------------------------------------------------------------------------------- */

static double page_most(const struct compare_plan *plan, enum compare_metric metric) {
    double most = 0;
    for (size_t i = 0; i < plan->subjects; i++) {
        const struct compare_subject *subject = &plan->subject[i];
        if (!compare_measured(subject, metric)) continue;
        for (size_t run = 0; run < compare_samples(subject, metric); run++) {
            most = fmax(most, subject->sample[metric][run]);
        }
    }
    return most > 0 ? most : 1;
}

/* A bar up to the median, a dot a run. */
static void page_plot_row(FILE *out, const struct compare_subject *subject,
                          enum compare_metric metric, double scale, size_t top, bool ours) {
    const struct compare_metric_row *row = &compare_metric[metric];
    const double median = compare_median(subject, metric);
    const size_t middle = top + PAGE_ROW / 2;
    const char *colour = ours ? "#c0392b" : "#34668f";
    fprintf(out, "<text x=\"%d\" y=\"%zu\" text-anchor=\"end\">", PAGE_NAMES - 8, middle + 5);
    page_text(out, subject->name);
    fprintf(out,
            "</text>\n<rect x=\"%d\" y=\"%zu\" width=\"%.1f\" height=\"%d\" fill=\"%s\" "
            "opacity=\"0.3\"/>\n",
            PAGE_NAMES, top + 4, median * scale, PAGE_ROW - 8, colour);
    for (size_t run = 0; run < compare_samples(subject, metric); run++) {
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%zu\" r=\"3\" fill=\"%s\" opacity=\"0.6\"/>\n",
                PAGE_NAMES + subject->sample[metric][run] * scale, middle, colour);
    }
    fprintf(out, "<text x=\"%d\" y=\"%zu\">%.*f</text>\n", PAGE_NAMES + PAGE_PLOT + 12, middle + 5,
            row->digits, median / row->divide);
}

static void page_plot(FILE *out, const struct compare_plan *plan, enum compare_metric metric) {
    const double scale = PAGE_PLOT / page_most(plan, metric);
    size_t rows = 0;
    for (size_t i = 0; i < plan->subjects; i++) {
        if (compare_measured(&plan->subject[i], metric)) rows++;
    }
    fprintf(out,
            "<h2>%s</h2>\n<svg width=\"%d\" height=\"%zu\" viewBox=\"0 0 %d %zu\" role=\"img\" "
            "font-size=\"14\" font-family=\"sans-serif\">\n",
            compare_metric[metric].title, PAGE_NAMES + PAGE_PLOT + PAGE_VALUES, rows * PAGE_ROW,
            PAGE_NAMES + PAGE_PLOT + PAGE_VALUES, rows * PAGE_ROW);
    for (size_t i = 0, row = 0; i < plan->subjects; i++) {
        if (!compare_measured(&plan->subject[i], metric)) continue;
        page_plot_row(out, &plan->subject[i], metric, scale, row++ * PAGE_ROW, i == plan->ours);
    }
    fputs("</svg>\n", out);
}

bool page_write(const struct compare_plan *plan, const char *verdict) {
    struct file file;
    if (plan->page == NULL) return true;
    if (!file_open(&file, plan->page)) return false;
    fputs(page_head, file.out);
    page_intro(file.out, plan, verdict);
    page_table(file.out, plan);
    for (int metric = 0; metric < COMPARE_METRICS; metric++) {
        if (compare_measured(&plan->subject[plan->baseline], metric)) {
            page_plot(file.out, plan, metric);
        }
    }
    fputs("</body>\n</html>\n", file.out);
    return file_close(&file);
}
