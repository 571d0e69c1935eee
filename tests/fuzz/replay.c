/*
 * replay.c - runs a fuzz target over the files and directories that are given,
 * so that what the fuzzer found once is tested for good by any compiler.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long replayed;

static void die(const char *path)
{
    fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
    exit(1);
}

static void replay_file(const char *path, size_t size)
{
    uint8_t *data = malloc(size + 1);
    FILE *file = fopen(path, "rb");

    if (data == NULL || file == NULL || fread(data, 1, size, file) != size)
        die(path);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    replayed++;
}

static void replay_directory(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;

    if (directory == NULL)
        die(path);
    while ((entry = readdir(directory)) != NULL) {
        char file[4096];
        struct stat status;
        if ((size_t)snprintf(file, sizeof file, "%s/%s", path, entry->d_name) >= sizeof file ||
            stat(file, &status) != 0)
            die(file);
        if (S_ISREG(status.st_mode))
            replay_file(file, (size_t)status.st_size);
    }
    closedir(directory);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct stat status;
        if (stat(argv[i], &status) != 0)
            die(argv[i]);
        if (S_ISDIR(status.st_mode))
            replay_directory(argv[i]);
        else
            replay_file(argv[i], (size_t)status.st_size);
    }
    printf("replayed %lu inputs\n", replayed);
    return replayed > 0 ? 0 : 1;
}
