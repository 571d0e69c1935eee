/*
 * import_bar.c - how far an import has come: one line on the terminal, drawn over.
 */
#include "import.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { NARROW = 40, WIDE = 200, USUAL = 80, TEXT = 64 };

static const int64_t second_ns = 1000000000, between_ns = 100000000;

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * second_ns + time.tv_nsec;
}

static int width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return USUAL;
    return size.ws_col < NARROW ? NARROW : size.ws_col > WIDE ? WIDE : size.ws_col;
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

void import_bar_begin(import_bar *bar, bool resumes)
{
    const char *terminal = getenv("TERM");
    bar->wanted = isatty(STDERR_FILENO) && !(terminal && strcmp(terminal, "dumb") == 0);
    bar->resumes = resumes;
    bar->color = !is_set("NO_COLOR");
    bar->began_ns = now();
}

/* "1:05" or "2:03:09" */
static void write_time(char *out, size_t room, double seconds)
{
    long rest = seconds < 0 ? 0 : seconds > 359999 ? 359999 : (long)(seconds + 0.5);
    if (rest >= 3600)
        snprintf(out, room, "%ld:%02ld:%02ld", rest / 3600, rest / 60 % 60, rest % 60);
    else
        snprintf(out, room, "%ld:%02ld", rest / 60, rest % 60);
}

/* What stands behind the bar. */
static void write_text(const import_bar *bar, const belay_import_counts *c, char *out, size_t room)
{
    char left[TEXT];
    double seconds = (double)(now() - bar->began_ns) / (double)second_ns + 1e-9;
    double bytes = (double)(c->bytes - bar->bytes);
    int size = snprintf(out, room, " %" PRIu64 " records, %" PRIu64 " rejected, %.0f a second", c->read, c->rejected,
                        (double)(c->read - bar->records) / seconds);
    if (c->size == 0 || bytes <= 0 || size < 0 || (size_t)size >= room)
        return;
    uint64_t rest = c->bytes < c->size ? c->size - c->bytes : 0;
    write_time(left, sizeof left, (double)rest * seconds / bytes);
    snprintf(out + size, room - (size_t)size, ", %s left", left);
}

static void draw(const import_bar *bar, const belay_import_counts *c)
{
    char text[256];
    write_text(bar, c, text, sizeof text);
    int room = width() - 1 - (int)strlen(text) - 7;
    fputs("\r\033[K", stderr);
    if (c->size > 0 && room >= 8) {
        double part = c->bytes < c->size ? (double)c->bytes / (double)c->size : 1;
        int filled = (int)(part * room);
        fprintf(stderr, "%3d%% %s", (int)(part * 100), bar->color ? "\033[32m" : "");
        for (int i = 0; i < room; i++)
            fputc(i < filled ? '#' : '.', stderr);
        fputs(bar->color ? "\033[0m" : "", stderr);
    }
    fprintf(stderr, "%.*s", width() - 1, text);
    fflush(stderr);
}

void import_bar_draw(import_bar *bar, const belay_import_counts *counts)
{
    int64_t time = now();
    if (!bar->wanted || time - bar->drawn_ns < between_ns)
        return;
    if (bar->drawn_ns == 0 && bar->resumes) { /* it began further on, and how fast it came there is not known */
        bar->records = counts->read;
        bar->bytes = counts->bytes;
        bar->began_ns = time;
    }
    bar->drawn_ns = time;
    draw(bar, counts);
}

void import_bar_end(import_bar *bar)
{
    if (bar->wanted && bar->drawn_ns > 0)
        fputs("\r\033[K", stderr);
    fflush(stderr);
}
