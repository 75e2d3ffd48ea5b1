
/* What tests of a request's body share: it is parsed in pieces of any size */


#ifndef _API_PARSE_H_INCLUDED_
#define _API_PARSE_H_INCLUDED_


#include <text.h>
#include <vb_api_request.h>


#define TO    "\"to_number\":\"+15005550009\""

static vb_api_request_t   request;
static vb_str_t           detail;


/* the parser owns what request and detail tell */

static int
parse(vb_api_parser_t **parser, const vb_str_t *body, size_t piece,
    int have_agent)
{
    int        rc;
    size_t     i, n;
    vb_str_t   s;

    *parser = vb_api_parser_create(VB_JSON_DEPTH);

    for (i = 0; i < body->len; i += n) {
        n = vb_min(piece, body->len - i);
        s = copy(body->data + i, n);

        rc = vb_api_parser_feed(*parser, s.data, s.len);
        free(s.data);

        if (rc != VB_OK) {
            break;
        }
    }

    return vb_api_parser_finish(*parser, have_agent, &request, &detail);
}


static int
is_same(const vb_str_t *one, const vb_str_t *two)
{
    return one->len == two->len
           && (one->len == 0 || memcmp(one->data, two->data, one->len) == 0);
}


/* whether a body means the same in pieces of all sizes */

static int
is_same_in_pieces(const vb_str_t *body)
{
    int                rc, same;
    size_t             piece;
    vb_str_t           whole_detail;
    vb_api_parser_t   *whole, *parser;
    vb_api_request_t   whole_request;

    rc = parse(&whole, body, body->len, 0);
    whole_request = request;
    whole_detail = detail;

    same = 1;

    for (piece = 1; piece < 24 && piece < body->len; piece++) {

        if (parse(&parser, body, piece, 0) != rc) {
            same = 0;

        } else if (rc == VB_ERROR) {
            same &= is_same(&detail, &whole_detail);

        } else {
            same &= is_same(&request.agent_id, &whole_request.agent_id)
                    && is_same(&request.session_id, &whole_request.session_id)
                    && is_same(&request.to_number, &whole_request.to_number)
                    && is_same(&request.dynamic_variables,
                               &whole_request.dynamic_variables);
        }

        vb_api_parser_destroy(parser);
    }

    vb_api_parser_destroy(whole);

    return same;
}


#endif /* _API_PARSE_H_INCLUDED_ */
