
/* Test Anything Protocol for the C unit tests: one program, one plan */


#ifndef _VB_TAP_H_INCLUDED_
#define _VB_TAP_H_INCLUDED_


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static int  tap_run;
static int  tap_failed;


/*
 * Each takes a printf() format and its arguments as the test's name, and is 1
 * when the test holds, so that a caller may stop early.
 */
#define ok(cond, ...)  tap_ok((cond) != 0, __FILE__, __LINE__, __VA_ARGS__)

#define is_int(got, expected, ...)  ({                                        \
    long long  got_ = (long long) (got), exp_ = (long long) (expected);       \
    int        ok_ = ok(got_ == exp_, __VA_ARGS__);                           \
    ok_ ? 1 : (printf("#   got %lld, expected %lld\n", got_, exp_), 0);       \
})

#define is_mem(got, n, expected, n2, ...)  ({                                 \
    size_t  n_ = (n), n2_ = (n2);                                             \
    size_t  at_ = tap_differ((const void *) (got), n_,                        \
                             (const void *) (expected), n2_);                 \
    int     ok_ = ok(n_ == n2_ && at_ == n_, __VA_ARGS__);                    \
    ok_ ? 1 : (printf("#   got %zu bytes, expected %zu, first difference "    \
                      "at %zu\n", n_, n2_, at_), 0);                          \
})


__attribute__((format(printf, 4, 5))) static inline int
tap_ok(int good, const char *file, int line, const char *fmt, ...)
{
    va_list  args;

    printf("%sok %d - ", good ? "" : "not ", ++tap_run);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");

    if (!good) {
        printf("#   failed at %s line %d\n", file, line);
        tap_failed++;
    }

    return good;
}


static inline size_t
tap_differ(const char *a, size_t n, const char *b, size_t n2)
{
    size_t  i;

    for (i = 0; i < n && i < n2 && a[i] == b[i]; i++) { /* void */ }

    return i;
}


/* prints the plan; ends the program with 1 when a test failed or none ran */
static inline int
done_testing(void)
{
    printf("1..%d\n", tap_run);

    if (tap_failed || tap_run == 0) {
        exit(1);
    }

    return 0;
}


#endif /* _VB_TAP_H_INCLUDED_ */
