#include "reading.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char directory[64], lines_path[96], chrome_path[96];

int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/belay-trace-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(lines_path, sizeof lines_path, "%s/trace.jsonl", directory);
    snprintf(chrome_path, sizeof chrome_path, "%s/trace.json", directory);
    return 0;
}

int remove_directory(void **state)
{
    (void)state;
    char path[400];
    DIR *entries = opendir(directory);
    for (struct dirent *entry; (entry = readdir(entries));) {
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        unlink(path); /* not those of . and .. */
    }
    closedir(entries);
    return rmdir(directory);
}

belay_trace_event event_of(belay_trace_kind kind)
{
    return (belay_trace_event){.size = sizeof(belay_trace_event), .kind = kind};
}

belay_trace_event statement_of(const char *text)
{
    belay_trace_event event = event_of(BELAY_TRACE_STATEMENT);
    event.statement = text;
    return event;
}

typedef struct question {
    const char *path, *expression;
} question;

static int ask_python(void *arg)
{
    const question *q = arg;
    execl("/usr/bin/python3", "python3", READ_TRACE, q->path, q->expression, (char *)NULL);
    return 99;
}

void assert_trace_at(const char *path, const char *expression, const char *file, int line)
{
    question q = {path, expression};
    if (run_apart(ask_python, &q) != 0)
        _fail(file, line);
}

int run_apart(int (*check)(void *arg), void *arg)
{
    enum { CRASHED = 100 };
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        _exit(check(arg));
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return CRASHED;
    return WIFEXITED(status) ? WEXITSTATUS(status) : CRASHED + WTERMSIG(status);
}
