#include "inherited.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fork.h"

/* A file that is open in this process, or was in a parent when it was forked. */
typedef struct belayi_open_file {
    struct belayi_open_file *next;
    dev_t device;
    ino_t inode;
    unsigned long long generation; /* of the process that has it open */
    unsigned connections;
} open_file;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t watching = PTHREAD_ONCE_INIT;
static open_file *files;

/* No thread is in the list while the process forks: the child's copy is whole, and its mutex free. */
static void lock_list(void)
{
    pthread_mutex_lock(&mutex);
}

static void unlock_list(void)
{
    pthread_mutex_unlock(&mutex);
}

static void watch_forks(void)
{
    pthread_atfork(lock_list, unlock_list, unlock_list);
}

static open_file *find(const struct stat *facts)
{
    for (open_file *file = files; file; file = file->next)
        if (file->device == facts->st_dev && file->inode == facts->st_ino)
            return file;
    return NULL;
}

bool belayi_sqlite_inherited(const char *path)
{
    struct stat facts;
    if (stat(path, &facts) != 0)
        return false;
    lock_list();
    const open_file *file = find(&facts);
    bool inherited = file && file->generation != belayi_fork_generation();
    unlock_list();
    return inherited;
}

static open_file *add(const struct stat *facts)
{
    open_file *file = calloc(1, sizeof *file);
    if (!file)
        return NULL;
    *file = (open_file){
        .next = files, .device = facts->st_dev, .inode = facts->st_ino, .generation = belayi_fork_generation()};
    files = file;
    return file;
}

bool belayi_sqlite_note_open(const char *path, open_file **out_file)
{
    struct stat facts;
    pthread_once(&watching, watch_forks);
    *out_file = NULL;
    if (stat(path, &facts) != 0)
        return true;
    lock_list();
    open_file *file = find(&facts);
    if (!file)
        file = add(&facts);
    if (file)
        file->connections++;
    unlock_list();
    *out_file = file;
    return file != NULL;
}

static void drop(open_file *file)
{
    open_file **at = &files;
    while (*at != file)
        at = &(*at)->next;
    *at = file->next;
    free(file);
}

void belayi_sqlite_note_closed(open_file *file)
{
    if (!file)
        return;
    lock_list();
    if (file->generation == belayi_fork_generation() && --file->connections == 0)
        drop(file);
    unlock_list();
}
