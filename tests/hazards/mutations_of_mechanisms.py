"""What takes away how the core does its work, where no hazard of other tools shows it."""

from __future__ import annotations

from mutating import Mutation, one

NATIVE = "src/allocmeter/_native/"
ACCOUNT, ALLOCATORS, NODE = NATIVE + "account.c", NATIVE + "allocators.c", NATIVE + "node.c"
ABSENCE, MAPPING, COLLECTOR = NATIVE + "absence.c", NATIVE + "mapping.c", NATIVE + "collector.c"
ASSERTION, CROSSING, EXCHANGE = NATIVE + "assertion.c", NATIVE + "crossing.c", NATIVE + "exchange.c"
ROUTE_NAMES, ENTRANCE = NATIVE + "route_names.c", NATIVE + "entrance.c"
CONTEXT, RECALL, FORK = NATIVE + "context.c", NATIVE + "recall.c", NATIVE + "fork.c"
CONTEXT_H, COLLECTOR_H = NATIVE + "context.h", NATIVE + "collector.h"
DRAFTS = "src/allocmeter/cli/_drafts.py"

PUT = "#define PUT(member) __atomic_store_n(&place->member, allocator->member, __ATOMIC_RELEASE)\n"
POINTED = "    point(context, from, to);\n    return 1;\n"
LAST = "if (all > 0 && PyList_GET_ITEM(callbacks, all - 1) == at_stop) collection.state_id = 0;"
# Others do something between two steps of a thread.
PAUSE = "    for (volatile int i = 0; i < {}; i++) continue;\n"

MUTATIONS = [
    Mutation(
        "h03",
        "an address is written in parts",
        (
            (
                ALLOCATORS,
                PUT,
                # Not halves: libraries may lie so near to each other that only one of them differs.
                (
                    "#include <sched.h>\n\nstatic void in_parts(char *to, const char *from) {\n"
                    "    for (int i = 0; i < 4; i++, to += 2, from += 2) {\n"
                    "        memcpy(to, from, 2);\n        sched_yield();\n    }\n}\n\n"
                    "#define PUT(member) "
                    "in_parts((char *)&place->member, (const char *)&allocator->member)\n"
                ),
            ),
        ),
        (3, 12),
    ),
    one(
        "test_absences",
        "a changed mapping does not move the number that variables and threads look at",
        MAPPING,
        POINTED,
        "    point(context, from, to);\n    PyThreadState_Get()->context_ver--;\n    return 1;\n",
    ),
    one(
        "test_absences",
        "no change of a mapping does, and the trial of it tells",
        MAPPING,
        "    PyThreadState_Get()->context_ver++;\n",
        "",
    ),
    Mutation(
        "test_absences",
        "a mapping is exchanged whatever the context points to",
        (
            (MAPPING, " || *pointer_in(context) != from) return 0;", ") return 0;"),
            (
                MAPPING,
                POINTED,
                "    (void)from;\n" + POINTED.replace("from", "*pointer_in(context)"),
            ),
        ),
    ),
    one(
        "test_absences",
        "nothing is current again after an absence",
        ABSENCE,
        "    if (twins->within == NULL || "
        "!am_context_exchange(twins->without, twins->within, value)) {\n",
        "    if (value == NULL) {\n",
    ),
    one(
        "test_absences",
        "what the server had made current is not found again",
        CROSSING,
        "    Py_XSETREF(self->inside, am_absence_end(absence));\n",
        "    Py_XDECREF(am_absence_end(absence));\n",
    ),
    one(
        "test_absences",
        "twins are left by in any context",
        ABSENCE,
        "           holder->context == PyThreadState_Get()->context &&\n",
        "",
    ),
    Mutation(
        "test_native_selftest and promises",
        "a node whose pin was refused is not queued",
        (
            (
                ACCOUNT,
                "    atomic_fetch_add(&am_nodes[index].foreign.pins, 1);\n",
                "    atomic_fetch_add(&am_nodes[index].foreign.pins, 1);\n" + PAUSE.format(1000),
            ),
            (
                ACCOUNT,
                "    am_foreign_unpin(index);\n    return 0;\n",
                "    atomic_fetch_sub(&am_nodes[index].foreign.pins, 1);\n    return 0;\n",
            ),
            (
                NODE,
                "        node->generation++;\n        if",
                "        node->generation++;\n" + PAUSE.format(1000) + "        if",
            ),
        ),
    ),
    one(
        "test_collector_callbacks",
        "who collected last is not forgotten",
        COLLECTOR,
        LAST,
        "(void)all;",
    ),
    one(
        "test_collector_callbacks",
        "nobody is taken for the one who collects before he says so",
        COLLECTOR,
        "    if (collection.state_id == 0) begin(node);\n",
        "",
    ),
    one(
        "test_broken_core",
        "a check that fails leaves no trace",
        ASSERTION,
        "atomic_compare_exchange_strong(&am_broken_invariant, &sound, (uint32_t)invariant)",
        "sound != (uint32_t)invariant",
    ),
    one(
        "test_broken_core",
        "a check that fails does not silence the hooks",
        ASSERTION,
        "        am_assertion_on_failure();\n",
        "        return 0;\n",
    ),
    one(
        "test_exchange_failures",
        "what our own methods raise reaches the program",
        EXCHANGE,
        "    return am_exchange_contained((PyObject *)self, names.failed);\n",
        "    return self == NULL ? 0 : -1;\n",
    ),
    one(
        "test_asgi_crossings",
        "the scope is not set aside while the server works",
        CROSSING,
        "    if (am_absence_begin(absence, known, self->inside) < 0) return -1;\n",
        "    *absence = (am_absence){.value = (am_holder *)Py_XNewRef(am_context_value())};\n"
        "    (void)known;\n",
    ),
    one(
        "test_asgi_crossings",
        "a call may be awaited twice",
        CROSSING,
        "    if (self->state == FINISHED) {\n",
        "    if (self->state == NEW && self->inner != NULL) {\n",
    ),
    Mutation(
        "test_mappings",
        "what is known of a mapping outlives it",
        (
            (RECALL, "    if (place != NULL) atomic_store", "    if (place == NULL) atomic_store"),
            # Else the trial of it tells.
            (MAPPING, "    if (am_recall(going) != NULL) am_recall_unwatch();\n", ""),
        ),
    ),
    one(
        "test_mappings",
        "a scope is left by going back, whatever was set meanwhile",
        CONTEXT,
        "now->serial == holder->within_serial && ",
        "",
    ),
    one(
        "test_mappings",
        "a scope is always left by setting the variable",
        CONTEXT,
        "!turn_back(holder, back) && ",
        "",
    ),
    one(
        "test_mappings",
        "a scope that was left elsewhere stays what was found out before",
        CONTEXT,
        "    if (AM_UNLIKELY(known->left_elsewhere != am_left_elsewhere)) return 0;\n",
        "",
    ),
    one(
        "test_mappings",
        "what a copy makes of a scope that was left elsewhere goes for the context of the scope",
        CONTEXT,
        "known != NULL && (value == NULL || !value->left_elsewhere)",
        "known != NULL && holder == value",
    ),
    one(
        "test_collector_pace",
        "own sections do not hold the collector",
        CONTEXT_H,
        "    am_collector_hold();\n",
        "",
    ),
    one(
        "test_collector_pace",
        "a collection while it is held is undone",
        COLLECTOR_H,
        "    if (AM_LIKELY(*am_collector_count < 0)) *am",
        "    *am",
    ),
    one(
        "test_collector_pace",
        "in a forked child the collector stays held",
        FORK,
        "    am_collector_repair();\n",
        "",
    ),
    one(
        "test_ready",
        "a result is handed over again and again",
        NATIVE + "ready.c",
        "    *result = self->result;\n    self->result = NULL;\n",
        "    *result = Py_XNewRef(self->result);\n",
    ),
    one(
        "test_run_missed_signals",
        "a signal that the interpreter missed is not repeated",
        "src/allocmeter/launcher/termination.py",
        "        repeat_until_heard(number)\n",
        "        pass\n",
    ),
    one(
        "test_run_missed_signals",
        "a computation that hears no signal goes on",
        NATIVE + "repeating.c",
        "atomic_fetch_add(&unheard, 1) < AM_REPEAT_AT_MOST",
        "atomic_fetch_add(&unheard, 1) >= 0",
    ),
    Mutation(
        "test_route_names",
        "names are found by their routes alone",
        (
            (
                ROUTE_NAMES,
                (
                    "entry->route == route && entry->inclusion == inclusion &&\n"
                    "                                     entry->method == method"
                ),
                "entry->route == route",
            ),
            # Otherwise it takes two with the same hash to tell.
            (ROUTE_NAMES, "    return (size_t)(mixed >> 32);\n", "    return 0 * (size_t)mixed;\n"),
        ),
    ),
    one(
        "test_route_names",
        "there is no end to the names",
        ROUTE_NAMES,
        "    if (self->used >= self->most) Py_RETURN_FALSE;\n",
        "",
    ),
    one(
        "test_route_names",
        "an entrance is made of anything",
        ENTRANCE,
        "    if (all_are(self->kinds, is_kind) && all_are(self->methods, is_method) &&\n",
        "    if (self != NULL || all_are(self->kinds, is_kind) ||\n"
        "        all_are(self->methods, is_method) ||\n",
    ),
    one(
        "test_drafts",
        "what killed processes leave is never removed",
        DRAFTS,
        "    remove_abandoned(path.parent)\n",
        "",
    ),
    one(
        "test_drafts",
        "what a living process writes is removed",
        DRAFTS,
        "        if _lock(file):\n",
        "        _lock(file)\n        if draft:\n",
    ),
    one(
        "test_drafts",
        "the target of a link is opened",
        DRAFTS,
        '    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)\n',
        "    flags = os.O_RDWR | getattr(os, 'O_NONBLOCK', 0)\n",
    ),
]
