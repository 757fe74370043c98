/* SPDX-License-Identifier: MIT
 *
 * heap/remote.c: blocks freed by a thread that does not own them; H1, H6.
 */
#include "engine.h"

#include "config/option.h"
#include "heap/adopt.h"
#include "heap/bin.h"
#include "heap/locked.h"
#include "heap/parcel.h"
#include "heap/registry.h"
#include "heap/remote.h"

#include <pthread.h>

#define PARCEL (HAK_STRESS ? 2u : HAK_PARCEL_BLOCKS)

static struct hak_heap *make(enum hak_heap_kind kind) {
    engine_mode("fast");
    hak_option_init();
    return hak_heap_make(kind);
}

/* The parcel that a link leads to, or NULL: to a block. */
static struct hak_parcel *parcel_of(uintptr_t link) {
    return link & 1 ? (struct hak_parcel *)(link - 1) : NULL;
}

static unsigned inbox_length(struct hak_heap *heap) {
    unsigned count = 0;
    for (uintptr_t link = atomic_load(&heap->inbox); link;) {
        const struct hak_parcel *parcel = parcel_of(link);
        count += parcel ? parcel->count : 1;
        link = parcel ? parcel->next : (uintptr_t)((struct hak_block *)link)->next - 8;
    }
    return count;
}

static void test_parcels(void **state) {
    (void)state;
    struct hak_heap *owner = make(HAK_HEAP_THREAD), *other = make(HAK_HEAP_THREAD);
    struct hak_block *block[HAK_PARCEL_BLOCKS];
    for (unsigned i = 0; i < PARCEL; i++) block[i] = engine_take(owner, 1);
    for (unsigned i = 0; i < PARCEL; i++) {
        assert_false(hak_remote_waiting(owner));
        hak_remote_free(other, block[i], hak_map_tag(block[i]));
    }
    assert_true(hak_remote_waiting(owner));
    assert_int_equal(inbox_length(owner), PARCEL);
    assert_int_equal(atomic_load(&owner->inbox_bytes), PARCEL * 16);
    assert_int_equal(other->counts.remote_sent, PARCEL);
    assert_int_equal(other->counts.remote_batches, 1);
    const struct hak_parcel *parcel = parcel_of(atomic_load(&owner->inbox));
    assert_non_null(parcel);
    for (unsigned i = 0; i < PARCEL; i++) assert_ptr_equal(parcel->block[i], block[i]);
    assert_int_equal(parcel->next, 0);
}

/* While all parcels are on their way, blocks are chained; all come home. */
static void check_chains(const char *mode) {
    enum { MANY = 3000 };
    engine_mode(mode);
    hak_option_init();
    struct hak_heap *owner = hak_heap_make(HAK_HEAP_THREAD);
    struct hak_heap *other = hak_heap_make(HAK_HEAP_THREAD);
    static struct hak_block *block[MANY];
    for (unsigned i = 0; i < MANY; i++) block[i] = engine_take(owner, 1 + i % 5);
    for (unsigned i = 0; i < MANY; i++) hak_remote_free(other, block[i], hak_map_tag(block[i]));
    hak_remote_send_all(other);
    assert_int_equal(inbox_length(owner), MANY);
    assert_int_equal(other->counts.remote_batches, (MANY + PARCEL - 1) / PARCEL);
    assert_null(parcel_of(atomic_load(&owner->inbox)));
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(hak_block_is_sealed(block[i], owner->mark), owner->mark != 0);
    while (hak_remote_drain(owner)) {
    }
    assert_int_equal(owner->counts.remote_drained, MANY);
    assert_int_equal(atomic_load(&owner->inbox_bytes), 0);
    hak_bin_clear_all(owner);
    engine_check_empty();
}

static void test_chains(void **state) {
    (void)state;
    check_chains("fast");
}

static void test_sealed_chains(void **state) {
    (void)state;
    check_chains("checked");
}

enum { CHAINED = 4 };
static struct hak_block *chained[CHAINED];

/* A chain on its way (the owner is returned), or some of it still in the outbox of the one that is
 * returned.  What was freed last is its first. */
static struct hak_heap *make_chain(bool send) {
    hak_option_init();
    hak_option_write("on_error", "report");
    struct hak_heap *owner = engine_heap("checked"), *other = engine_heap("checked");
    while (hak_parcel_take(other)) {
    }
    unsigned count = send || !HAK_STRESS ? CHAINED : 1; /* stress: two are sent at once */
    for (unsigned i = 0; i < CHAINED; i++) chained[i] = engine_take(owner, 3);
    for (unsigned i = 0; i < count; i++)
        hak_remote_free(other, chained[i], hak_map_tag(chained[i]));
    if (send) hak_remote_send_all(other);
    return send ? owner : other;
}

static void check_never_again(struct hak_heap *owner, const struct hak_block *block) {
    for (unsigned i = 0; i < 3000; i++) assert_ptr_not_equal(engine_take(owner, 3), block);
}

/* A link that was written over is not followed. */
static void test_broken_chain(void **state) {
    (void)state;
    struct hak_heap *owner = make_chain(true);
    memset(chained[2], 0x55, 16);
    while (hak_remote_drain(owner)) {
    }
    assert_int_equal(owner->pending, 0);
    assert_int_equal(owner->counts.remote_drained, 1);
    check_never_again(owner, chained[2]);
}

/* Nor is the last one's healed when the chain is sent. */
static void test_chain_broken_before(void **state) {
    (void)state;
    struct hak_heap *other = make_chain(false);
    struct hak_heap *owner = hak_registry_get(hak_tag_owner(hak_map_tag(chained[0])));
    memset(chained[0], 0x55, 16);
    hak_remote_send_all(other);
    assert_false(hak_remote_waiting(owner));
    check_never_again(owner, chained[0]);
}

/* Fast mode: freed twice, and its slab is gone. */
static void test_slab_is_gone(void **state) {
    (void)state;
    struct hak_heap *owner = make(HAK_HEAP_THREAD), *other = make(HAK_HEAP_THREAD);
    struct hak_block *block = engine_take(owner, 3);
    hak_remote_free(other, block, hak_map_tag(block));
    hak_remote_send_all(other);
    hak_bin_return(owner, block);
    hak_bin_clear_all(owner);
    assert_int_equal(hak_map_tag(block), 0);
    hak_remote_drain(owner);
    engine_check_heaps();
    engine_check_span();
}

/* Large blocks don't wait for others. */
static void test_bytes(void **state) {
    (void)state;
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        struct hak_heap *owner = make(HAK_HEAP_THREAD), *other = make(HAK_HEAP_THREAD);
        size_t size = hak_class_table[class].block_bytes;
        unsigned sent = 0;
        while (!inbox_length(owner)) {
            hak_remote_free(other, engine_take(owner, class), hak_tag_make(owner->id, class));
            sent++;
        }
        size_t fits = (16 * KIB + size - 1) / size;
        assert_int_equal(sent, hak_min_size(PARCEL, hak_max_size(fits, 1)));
        assert_int_equal(inbox_length(owner), sent);
    }
}

/* Owners that fall on one outbox: what waits there is sent, not mixed. */
static void test_outboxes_are_shared(void **state) {
    (void)state;
    struct hak_heap *heap[18];
    for (int i = 0; i < 18; i++) heap[i] = make(HAK_HEAP_THREAD); /* ids 1 to 18 */
    struct hak_heap *a = heap[0], *b = heap[8], *other = heap[17];
    hak_remote_free(other, engine_take(a, 1), hak_map_tag(engine_take(a, 1)));
    hak_remote_free(other, engine_take(b, 1), hak_map_tag(engine_take(b, 1)));
    assert_int_equal(inbox_length(a), 1);
    assert_int_equal(inbox_length(b), 0);
    hak_remote_free(other, engine_take(heap[1], 1), hak_map_tag(engine_take(heap[1], 1)));
    assert_int_equal(inbox_length(heap[1]), 0);
    hak_remote_send_all(other);
    assert_int_equal(inbox_length(b), 1);
    assert_int_equal(inbox_length(heap[1]), 1);
    hak_remote_send_all(other); /* nothing twice */
    assert_int_equal(inbox_length(b), 1);
    assert_int_equal(other->counts.remote_sent, 3);
    assert_int_equal(other->counts.remote_batches, 3);
}

static void test_drain_is_bounded(void **state) {
    (void)state;
    enum { MANY = 300 };
    struct hak_heap *owner = make(HAK_HEAP_THREAD);
    static struct hak_block *block[MANY];
    for (int i = 0; i < MANY; i++) block[i] = engine_take(owner, 1 + (unsigned)i % 5);
    hak_bin_clear_all(owner);
    assert_false(hak_remote_drain(owner));
    for (int i = 0; i < MANY; i++) hak_remote_free_now(block[i], hak_map_tag(block[i]));
    for (unsigned left = MANY; left;) {
        uint64_t before = owner->counts.remote_drained;
        assert_true(hak_remote_drain(owner));
        unsigned drained = (unsigned)(owner->counts.remote_drained - before);
        assert_int_equal(drained, hak_min_size(left, HAK_BATCH_MAX)); /* H6 */
        left -= drained;
        assert_int_equal(hak_remote_waiting(owner), left != 0);
        engine_check_heaps();
        if (!left) assert_int_equal(atomic_load(&owner->inbox_bytes), 0);
    }
    assert_false(hak_remote_drain(owner));
    hak_bin_clear_all(owner);
    engine_check_empty();
}

/* What arrives while a chain is being worked off waits behind it. */
static void test_second_chain_waits(void **state) {
    (void)state;
    struct hak_heap *owner = make(HAK_HEAP_THREAD);
    static struct hak_block *block[200];
    for (int i = 0; i < 200; i++) block[i] = engine_take(owner, 2);
    for (int i = 0; i < 100; i++) hak_remote_free_now(block[i], hak_map_tag(block[i]));
    hak_remote_drain(owner);
    assert_int_equal(atomic_load(&owner->inbox_bytes), 36 * 32);
    for (int i = 100; i < 200; i++) hak_remote_free_now(block[i], hak_map_tag(block[i]));
    assert_int_equal(atomic_load(&owner->inbox_bytes), 136 * 32);
    while (hak_remote_drain(owner)) {
    }
    assert_int_equal(owner->counts.remote_drained, 200);
    hak_bin_clear_all(owner);
    engine_check_empty();
}

/* The slab has another owner since the block was sent: it is sent on. */
static void test_forwarded(void **state) {
    (void)state;
    struct hak_heap *old = make(HAK_HEAP_THREAD), *new = make(HAK_HEAP_THREAD);
    struct hak_block *block = engine_take(old, 3);
    hak_remote_free_now(block, hak_map_tag(block));
    hak_bin_clear_all(old);
    struct hak_slab *slab = old->cold[3].partial;
    hak_heap_slab_remove(old, slab);
    hak_slab_retag(slab, new->id);
    hak_heap_slab_add(new, slab);
    assert_true(hak_remote_drain(old));
    assert_int_equal(old->counts.forwarded, 1);
    assert_false(hak_remote_waiting(new)); /* in the outbox */
    hak_remote_send_all(old);
    assert_int_equal(inbox_length(new), 1);
    assert_ptr_equal(parcel_of(atomic_load(&new->inbox))->block[0], block);
    assert_true(hak_remote_drain(new));
    hak_bin_clear_all(new);
    engine_check_empty();
}

/* A first-class heap may be destroyed at any time: nothing of it waits in an outbox. */
static void test_locked_heaps_get_theirs_at_once(void **state) {
    (void)state;
    struct hak_heap *locked = make(HAK_HEAP_LOCKED), *other = make(HAK_HEAP_THREAD);
    struct hak_block *block[5];
    for (unsigned i = 0; i < 5; i++) block[i] = engine_take(locked, 1);
    for (unsigned i = 1; i <= 5; i++) {
        hak_remote_free(other, block[i - 1], hak_tag_make(locked->id, 1));
        assert_int_equal(inbox_length(locked), i);
    }
    assert_int_equal(other->counts.remote_sent, 5);
    for (unsigned i = 0; i < HAK_OUTBOXES; i++) assert_int_equal(other->outbox[i].owner, 0);
}

static void test_marks(void **state) {
    (void)state;
    engine_mode("checked");
    hak_option_init();
    struct hak_heap *owner = hak_heap_make(HAK_HEAP_THREAD),
                    *other = hak_heap_make(HAK_HEAP_THREAD);
    struct hak_block *a = engine_take(owner, 4), *b = engine_take(owner, 4);
    hak_remote_free(other, a, hak_map_tag(a));
    hak_remote_free_now(b, hak_map_tag(b));
    assert_true(hak_block_is_sealed(a, owner->mark));
    assert_true(hak_block_is_sealed(b, owner->mark));
    hak_remote_send_all(other);
    hak_remote_drain(owner);
    engine_check_heaps();
}

/* ---- Threads --------------------------------------------------------------------------------- */

enum { SENDERS = 3, BLOCKS = 6000 };

static struct hak_block *sent[SENDERS][BLOCKS];
static struct hak_heap *receiver, *sender_heap[SENDERS];

static void *send(void *argument) {
    struct hak_heap *heap = argument;
    size_t index = heap == sender_heap[0] ? 0 : heap == sender_heap[1] ? 1 : 2;
    for (int i = 0; i < BLOCKS; i++) {
        struct hak_block *block = sent[index][i];
        engine_fill(block, hak_class_table[hak_tag_class(hak_map_tag(block))].block_bytes, 7);
        if (i % 100 == 99) hak_remote_free_now(block, hak_map_tag(block));
        else hak_remote_free(heap, block, hak_map_tag(block));
    }
    hak_remote_send_all(heap);
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    pthread_t thread[SENDERS];
    receiver = make(HAK_HEAP_THREAD);
    for (int i = 0; i < SENDERS; i++) {
        sender_heap[i] = make(HAK_HEAP_THREAD);
        for (int j = 0; j < BLOCKS; j++) sent[i][j] = engine_take(receiver, 1 + (unsigned)j % 30);
    }
    hak_bin_clear_all(receiver);
    for (int i = 0; i < SENDERS; i++) pthread_create(&thread[i], NULL, send, sender_heap[i]);
    while (receiver->counts.remote_drained < SENDERS * BLOCKS) {
        hak_remote_drain(receiver);
        hak_bin_flush(receiver, 1 + (unsigned)receiver->counts.flushed % 30, 0, HAK_BATCH_MAX);
    }
    for (int i = 0; i < SENDERS; i++) pthread_join(thread[i], NULL);
    assert_int_equal(receiver->counts.remote_drained, SENDERS * BLOCKS);
    hak_bin_clear_all(receiver);
    atomic_store(&receiver->inbox_bytes, 0); /* an estimate while threads run */
    engine_check_empty();
}

/* A block that comes twice is found when it is drained; the chain behind it is given up, and
 * nothing is handed out twice. */
static void test_sent_twice(void **state) {
    (void)state;
    engine_mode("checked");
    hak_option_write("on_error", "report");
    struct hak_heap *owner = make(HAK_HEAP_THREAD);
    struct hak_block *twice = engine_take(owner, 3), *other = engine_take(owner, 3);
    assert_non_null(engine_take(owner, 3)); /* so that the slab stays */
    hak_remote_free_now(twice, hak_map_tag(twice));
    hak_remote_drain(owner);
    assert_false(hak_used_is(twice));
    hak_remote_free_now(other, hak_map_tag(other));
    hak_remote_free_now(twice, hak_map_tag(twice)); /* the chain's first */
    hak_remote_drain(owner);
    assert_int_equal(owner->pending, 0);
    static struct hak_block *taken[3000];
    for (size_t i = 0; i < UNIT_COUNT(taken); i++) {
        taken[i] = engine_take(owner, 3);
        engine_fill(taken[i], 48, i);
    }
    for (size_t i = 0; i < UNIT_COUNT(taken); i++) assert_true(engine_intact(taken[i], 48, i));
}

/* Two threads that free one block at the same time: neither sees the other's seal. */
static void test_freed_by_two_at_once(void **state) {
    (void)state;
    hak_option_init();
    hak_option_write("on_error", "report");
    struct hak_heap *owner = engine_heap("checked");
    struct hak_heap *one = engine_heap("checked"), *two = engine_heap("checked");
    static struct hak_block *taken[3000];
    struct hak_block *twice[3];
    for (int i = 0; i < 3; i++) twice[i] = engine_take(owner, 3);
    assert_non_null(engine_take(owner, 3)); /* so that the slab stays */
    hak_bin_clear(owner, 3);
    hak_remote_free(one, twice[0], hak_map_tag(twice[0])); /* both in parcels */
    hak_remote_free(two, twice[0], hak_map_tag(twice[0]));
    hak_remote_free(one, twice[1], hak_map_tag(twice[1]));
    hak_remote_free(one, twice[2], hak_map_tag(twice[2]));
    hak_remote_send_all(one);
    hak_remote_free_now(twice[1], hak_map_tag(twice[1])); /* and one by itself */
    hak_remote_send_all(two);
    while (hak_remote_waiting(owner)) hak_remote_drain(owner);
    for (size_t i = 0; i < UNIT_COUNT(taken); i++) {
        taken[i] = engine_take(owner, 3);
        engine_fill(taken[i], 48, i);
    }
    for (size_t i = 0; i < UNIT_COUNT(taken); i++) assert_true(engine_intact(taken[i], 48, i));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_parcels),
        ISOLATED(test_chains),
        ISOLATED(test_sealed_chains),
        ISOLATED(test_broken_chain),
        ISOLATED(test_chain_broken_before),
        ISOLATED(test_slab_is_gone),
        ISOLATED(test_bytes),
        ISOLATED(test_outboxes_are_shared),
        ISOLATED(test_drain_is_bounded),
        ISOLATED(test_second_chain_waits),
        ISOLATED(test_forwarded),
        ISOLATED(test_locked_heaps_get_theirs_at_once),
        ISOLATED(test_marks),
        ISOLATED(test_sent_twice),
        ISOLATED(test_freed_by_two_at_once),
        ISOLATED(test_threads),
    };
    return cmocka_run_group_tests_name("heap/remote", tests, NULL, NULL);
}
