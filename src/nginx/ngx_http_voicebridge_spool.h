
/*
 * A directory in which files wait for their delivery and outlive processes.
 *
 * Each worker has a directory of its own within it, and in there a lock,
 * which the kernel takes from a process that dies, however it does: then the
 * next one that looks takes the directory over, with all its files.  So a
 * file is of one process at a time, and nothing is renamed for that.
 */


#ifndef _NGX_HTTP_VOICEBRIDGE_SPOOL_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_SPOOL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* most bytes of a file's name; other files are not looked at */
#define NGX_HTTP_VOICEBRIDGE_SPOOL_NAME  159


typedef struct {
    ngx_fd_t      lock;
    ngx_uint_t    files;               /* that its holder knows of */
    unsigned      own:1;               /* made by this process */
    u_char        path[NGX_MAX_PATH];
} ngx_http_voicebridge_spool_t;


/*
 * Makes this process's directory within root; NULL with the reason logged at
 * that level.
 */
ngx_http_voicebridge_spool_t *ngx_http_voicebridge_spool_open(ngx_str_t *root,
    ngx_uint_t level, ngx_log_t *log);

/*
 * Takes over one directory of a process that is no more: its files' names
 * are added to names (of ngx_str_t, in the array's pool, null-terminated),
 * in the order of their bytes.  NULL: there is none.
 */
ngx_http_voicebridge_spool_t *ngx_http_voicebridge_spool_adopt(
    ngx_str_t *root, ngx_array_t *names, ngx_log_t *log);

/*
 * Gives a directory back, and removes it where it is empty; its files wait
 * for the next process.  The spool is gone.
 */
void ngx_http_voicebridge_spool_close(ngx_http_voicebridge_spool_t *spool);


/*
 * Writes a file, which appears whole or not at all; it is not fsync'ed: it
 * outlives every process, but not the machine's failure in the next seconds.
 * NGX_OK, or NGX_ERROR with errno in *err.  May run in a thread; who calls it
 * counts the file.
 */
ngx_int_t ngx_http_voicebridge_spool_write(
    ngx_http_voicebridge_spool_t *spool, const char *name, ngx_str_t *text,
    ngx_err_t *err);

/*
 * Reads one, at most max bytes.  NGX_OK; NGX_DECLINED: it is not there or
 * larger; NGX_ERROR with errno in *err.
 */
ngx_int_t ngx_http_voicebridge_spool_read(ngx_http_voicebridge_spool_t *spool,
    const char *name, ngx_pool_t *pool, size_t max, ngx_str_t *text,
    ngx_err_t *err);

/* removes one */
void ngx_http_voicebridge_spool_remove(ngx_http_voicebridge_spool_t *spool,
    const char *name);


#endif /* _NGX_HTTP_VOICEBRIDGE_SPOOL_H_INCLUDED_ */
