-- what the workflow reads and writes
CREATE TABLE customers (
    id             bigserial PRIMARY KEY,
    phone_number   text NOT NULL,                   -- E.164: +14155550123
    customer_name  text NOT NULL,
    amount_due     numeric(12, 2) NOT NULL,
    call_state     text NOT NULL DEFAULT 'due',     -- called, refused
    attempt        integer NOT NULL DEFAULT 1,      -- raise to call again
    next_call_at   timestamptz NOT NULL DEFAULT now(),
    call_sid       text,
    call_error     text
);
