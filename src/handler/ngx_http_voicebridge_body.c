
/* A request's body, which nginx has read into memory or into a file */


#include <ngx_http_voicebridge_handler.h>


/*
 * Bytes of a file at a time: a parser may begin a string anew with each
 * piece, see vb_api_scan.h, and should not have to do so often.
 */
#define NGX_HTTP_VOICEBRIDGE_BODY_PIECE  65536


static ngx_int_t ngx_http_voicebridge_body_each_of_file(
    ngx_http_request_t *r, ngx_buf_t *b, ngx_http_voicebridge_piece_pt handler,
    void *data);


off_t
ngx_http_voicebridge_body_length(ngx_http_request_t *r)
{
    off_t         len;
    ngx_chain_t  *cl;

    len = 0;

    if (r->request_body) {
        for (cl = r->request_body->bufs; cl; cl = cl->next) {
            len += ngx_buf_size(cl->buf);
        }
    }

    return len;
}


ngx_int_t
ngx_http_voicebridge_body_each(ngx_http_request_t *r,
    ngx_http_voicebridge_piece_pt handler, void *data)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            rc = handler(data, b->pos, b->last - b->pos);

        } else if (b->in_file) {
            rc = ngx_http_voicebridge_body_each_of_file(r, b, handler, data);

        } else {

            /* the end of a body in chunks, which is neither */

            continue;
        }

        if (rc != NGX_OK) {
            return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_body_each_of_file(ngx_http_request_t *r, ngx_buf_t *b,
    ngx_http_voicebridge_piece_pt handler, void *data)
{
    off_t      offset, size;
    u_char    *buf;
    ssize_t    n;
    ngx_int_t  rc;

    size = ngx_min(b->file_last - b->file_pos,
                   NGX_HTTP_VOICEBRIDGE_BODY_PIECE);

    buf = ngx_palloc(r->pool, (size_t) size);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_OK;

    for (offset = b->file_pos; offset < b->file_last; offset += n) {

        n = ngx_read_file(b->file, buf,
                          (size_t) ngx_min(b->file_last - offset, size),
                          offset);

        if (n <= 0) {
            rc = NGX_ERROR;
            break;
        }

        rc = handler(data, buf, n);

        if (rc != NGX_OK) {
            break;
        }
    }

    (void) ngx_pfree(r->pool, buf);

    return rc;
}
