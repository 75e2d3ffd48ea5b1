
/* Who speaks when, and what is said: copies for those who look */


#include <ngx_http_voicebridge_talk.h>
#include <ngx_http_voicebridge_zone.h>


/* sid is shorter than the member is long */
#define ngx_http_voicebridge_talk_is(member, sid)                             \
    (ngx_strncmp(member, (sid)->data, (sid)->len) == 0                        \
     && member[(sid)->len] == '\0')


static ngx_http_voicebridge_talk_place_t *ngx_http_voicebridge_talk_find(
    ngx_http_voicebridge_talk_sh_t *sh, ngx_str_t *sid);


ngx_array_t *
ngx_http_voicebridge_talk_places(ngx_shm_zone_t *zone, ngx_pool_t *pool,
    uint64_t since, uint64_t *seq)
{
    ngx_uint_t                          i, n;
    ngx_array_t                        *places;
    ngx_http_voicebridge_talk_sh_t     *sh;
    ngx_http_voicebridge_talk_place_t  *place, *copy;

    sh = ngx_http_voicebridge_zone_talk(zone);

    *seq = since;

    if (sh == NULL) {
        return ngx_array_create(pool, 1,
                                sizeof(ngx_http_voicebridge_talk_place_t));
    }

    places = NULL;
    n = 0;

    /* memory is there before the copies; what comes meanwhile has to wait */

    for ( ;; ) {
        ngx_http_voicebridge_zone_lock(zone);

        if (places == NULL) {
            (void) ngx_http_voicebridge_talk_sweep(sh, 0);

            *seq = sh->seq;
        }

        for (i = 0; i < sh->n; i++) {
            place = &sh->place[i];

            if (place->seq <= since || (!place->owner && !place->ended)) {
                continue;
            }

            if (places == NULL) {
                n++;

            } else if (place->seq <= *seq && places->nelts < n) {
                copy = ngx_array_push(places);
                *copy = *place;
            }
        }

        ngx_http_voicebridge_zone_unlock(zone);

        if (places) {
            return places;
        }

        places = ngx_array_create(pool, ngx_max(n, 1),
                                  sizeof(ngx_http_voicebridge_talk_place_t));
        if (places == NULL) {
            return NULL;
        }
    }
}


ngx_int_t
ngx_http_voicebridge_talk_copy(ngx_shm_zone_t *zone, ngx_str_t *sid,
    ngx_http_voicebridge_talk_copy_t *copy)
{
    ngx_http_voicebridge_talk_sh_t     *sh;
    ngx_http_voicebridge_talk_place_t  *place;

    sh = ngx_http_voicebridge_zone_talk(zone);

    if (sh == NULL) {
        return NGX_DECLINED;
    }

    ngx_http_voicebridge_zone_lock(zone);

    (void) ngx_http_voicebridge_talk_sweep(sh, 0);

    place = ngx_http_voicebridge_talk_find(sh, sid);

    if (place) {
        ngx_memcpy(copy->stream_sid, place->stream_sid,
                   sizeof(copy->stream_sid));

        copy->live = (place->owner != 0);
        copy->texts = (place->texts != 0);
        copy->len = place->len;

        ngx_memcpy(copy->text, ngx_http_voicebridge_talk_text(sh, place),
                   copy->len);
    }

    ngx_http_voicebridge_zone_unlock(zone);

    return place ? NGX_OK : NGX_DECLINED;
}


static ngx_http_voicebridge_talk_place_t *
ngx_http_voicebridge_talk_find(ngx_http_voicebridge_talk_sh_t *sh,
    ngx_str_t *sid)
{
    ngx_uint_t                          i;
    ngx_http_voicebridge_talk_place_t  *place, *found;

    found = NULL;

    if (sid->len == 0 || sid->len >= sizeof(place->call_sid)) {
        return NULL;
    }

    for (i = 0; i < sh->n; i++) {
        place = &sh->place[i];

        if (!place->owner && !place->ended) {
            continue;
        }

        if (!ngx_http_voicebridge_talk_is(place->call_sid, sid)
            && !ngx_http_voicebridge_talk_is(place->stream_sid, sid))
        {
            continue;
        }

        if (found == NULL
            || (!found->owner && (place->owner || place->seq > found->seq)))
        {
            found = place;
        }
    }

    return found;
}


ngx_int_t
ngx_http_voicebridge_talk_next(ngx_http_voicebridge_talk_copy_t *copy,
    size_t *pos, ngx_http_voicebridge_turn_t *turn)
{
    ngx_http_voicebridge_talk_head_t  head;

    if (copy->len - *pos < sizeof(head)) {
        return NGX_DONE;
    }

    ngx_memcpy(&head, copy->text + *pos, sizeof(head));

    if (head.len > copy->len - *pos - sizeof(head)) {
        return NGX_DONE;
    }

    *pos += sizeof(head);

    turn->id = head.id;
    turn->at = head.at;
    turn->who = head.who;
    turn->text.data = copy->text + *pos;
    turn->text.len = head.len;

    *pos += head.len;

    return NGX_OK;
}


ngx_atomic_uint_t
ngx_http_voicebridge_talk_changed(ngx_shm_zone_t *zone)
{
    ngx_http_voicebridge_talk_sh_t  *sh;

    sh = ngx_http_voicebridge_zone_talk(zone);

    return sh ? sh->changed : 0;
}
