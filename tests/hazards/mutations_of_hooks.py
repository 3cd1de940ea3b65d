"""What takes the mitigations of H1 to H13 away."""

from __future__ import annotations

from mutating import Mutation, one

NATIVE = "src/allocmeter/_native/"
CONTEXT, CONTEXT_H = NATIVE + "context.c", NATIVE + "context.h"
PYMEM = NATIVE + "pymem.c"

SET = "PyObject *token = PyContextVar_Set(variable, value == NULL ? Py_None : (PyObject *)value);\n"
ASKED = (
    "    (void)am_mute();\n    void *block = below->malloc(below->ctx, size);\n"
    "    am_unmute(state);\n"
)
TAKEN = "    const int64_t old = am_ledger_take_known(entry, code, block);\n"
MOVED = "    void *moved = below->realloc(below->ctx, block, size);\n"

MUTATIONS = [
    Mutation(
        "h01",
        "the hook looks the variable up during a set, and what it found is believed afterwards",
        (
            (
                CONTEXT,
                f"    {SET}    am_thread.state = AM_NO_STATE;\n",
                (
                    "    const uint32_t depth = am_thread.own_depth;\n"
                    "    am_thread.own_depth = 0;\n    am_thread.state = AM_NO_STATE;\n"
                    f"    {SET}    am_thread.own_depth = depth;\n"
                ),
            ),
            (CONTEXT, "        remember_value(value);\n        return 0;\n", "        return 0;\n"),
        ),
    ),
    one(
        "h02_taking",
        "uninstall restores blindly",
        PYMEM,
        "    if (am_hooks_displacer() != NULL) return -1;\n",
        "",
    ),
    one(
        "h02_hooks",
        "nobody looks whether the hooks are still reached",
        PYMEM,
        "return reachable() ? AM_WRAPPED : AM_REMOVED;",
        "return AM_WRAPPED;",
    ),
    one(
        "h02_installing",
        "hooks that are wrapped are installed again",
        PYMEM,
        "if (position == AM_ON_TOP || position == AM_WRAPPED) return 0;",
        "if (position == AM_ON_TOP) return 0;",
    ),
    one(
        "h03",
        "saved allocators are cleared and written again",
        PYMEM,
        "    am_hooks_wanted = 0;\n    am_hooks_gaps++;\n    return 0;\n",
        "    memset(layers, 0, sizeof layers);\n    layer_count = 0;\n"
        "    am_hooks_wanted = 0;\n    am_hooks_gaps++;\n    return 0;\n",
    ),
    one(
        "h04",
        "no guard around the call of the allocator below",
        CONTEXT_H,
        "    am_thread.state = AM_MUTED;\n",
        "",
    ),
    one(
        "h05_the_raw",
        "a thread without a state attaches inside the hook",
        CONTEXT,
        "    *exclusive = am_is_attached(state, locked);\n",
        "    *exclusive = am_is_attached(state, locked);\n"
        "    if (!*exclusive && !locked) PyGILState_Release(PyGILState_Ensure());\n",
    ),
    Mutation(
        "h06_no_other",
        "the hook lets go of the lock",
        (
            (PYMEM, "#include <string.h>\n", "#include <sched.h>\n#include <string.h>\n"),
            (
                PYMEM,
                ASKED,
                (
                    ASKED + "    if (!raw) {\n        PyThreadState *saved = PyEval_SaveThread();\n"
                    "        sched_yield();\n        PyEval_RestoreThread(saved);\n    }\n"
                ),
            ),
        ),
    ),
    one(
        "h06_an_exception",
        "a look-up clears whatever exception is set",
        CONTEXT,
        "    if (failed) PyErr_Clear();\n    Py_XDECREF(value)",
        "    PyErr_Clear();\n    Py_XDECREF(value)",
    ),
    one(
        "h07",
        "the hook makes an object that the collector knows",
        PYMEM,
        ASKED,
        ASKED + "    if (!raw && am_thread.node != AM_OWN) {\n        am_own_begin();\n"
        "        (void)PyList_New(0);\n        am_own_end();\n    }\n",
    ),
    Mutation(
        "h08",
        "a mutex around the record of a block",
        (
            (PYMEM, "#include <string.h>\n", "#include <pthread.h>\n#include <string.h>\n"),
            (
                PYMEM,
                "    am_record(block, node, AM_PYTHON_DOMAIN, (int64_t)size, exclusive);\n",
                (
                    "    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;\n"
                    "    pthread_mutex_lock(&lock);\n"
                    "    am_record(block, node, AM_PYTHON_DOMAIN, (int64_t)size, exclusive);\n"
                    "    pthread_mutex_unlock(&lock);\n"
                ),
            ),
        ),
    ),
    one(
        "h09_what",
        "nothing is repaired in the child",
        NATIVE + "fork.c",
        "pthread_atfork(NULL, NULL, repair)",
        "pthread_atfork(NULL, NULL, NULL)",
    ),
    Mutation(
        "h09_a_child",
        "a mutex that other threads may hold at the moment of the fork",
        (
            (PYMEM, "#include <string.h>\n", "#include <pthread.h>\n#include <string.h>\n"),
            (
                PYMEM,
                "    am_record(block, node, AM_PYTHON_DOMAIN, (int64_t)size, exclusive);\n",
                (
                    "    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;\n"
                    "    pthread_mutex_lock(&lock);\n"
                    "    am_record(block, node, AM_PYTHON_DOMAIN, (int64_t)size, exclusive);\n"
                    "    for (volatile int i = 0; i < 1000; i++) continue;\n"
                    "    pthread_mutex_unlock(&lock);\n"
                ),
            ),
        ),
    ),
    one(
        "h10_an_address and free",
        "the entry is cleared after the real free",
        PYMEM,
        "    am_owner owner = am_ledger_take(block);\n"
        "    if (owner.node != AM_NONE) am_record_credit(owner, am_free_is_exclusive(!raw));\n"
        "    if (AM_LIKELY(!am_native_is_connected())) {\n"
        "        below->free(below->ctx, block);\n",
        "    am_owner owner = {0};\n"
        "    if (AM_LIKELY(!am_native_is_connected())) {\n"
        "        below->free(below->ctx, block);\n"
        "        owner = am_ledger_take(block);\n"
        "        if (owner.node != AM_NONE) am_record_credit(owner, am_free_is_exclusive(!raw));\n",
    ),
    Mutation(
        "h10_an_address and realloc",
        "the entry is cleared after the real realloc",
        (
            (
                PYMEM,
                "    am_owner old = am_ledger_take(block);\n    if (node == AM_NONE && old",
                "    am_owner old = {0};\n    if (node == AM_NONE && old",
            ),
            (
                PYMEM,
                f"    const PyThreadState *state = am_mute();\n{MOVED}",
                (
                    f"    const PyThreadState *state = am_mute();\n{MOVED}"
                    "    if (moved != NULL) old = am_ledger_take(block);\n"
                ),
            ),
        ),
    ),
    one(
        "h10_an_address and while",
        "its own entry is cleared after the real realloc",
        PYMEM,
        f"{TAKEN}    (void)am_mute();\n{MOVED}",
        f"    (void)am_mute();\n{MOVED}{TAKEN}",
    ),
    one(
        "h10_a_block",
        "a failed realloc does not restore the entry",
        PYMEM,
        "        am_record_restore(block, old);\n",
        "",
    ),
    one(
        "h11",
        "room for a header is asked for",
        PYMEM,
        ASKED,
        ASKED.replace("size)", "size + 16)"),
    ),
    one(
        "h12",
        "the guard belongs to the process",
        NATIVE + "platform.h",
        '#define AM_THREAD_LOCAL __thread __attribute__((tls_model("initial-exec")))',
        "#define AM_THREAD_LOCAL",
    ),
    Mutation(
        "h13",
        "the mem domain is not hooked",
        (
            (PYMEM, "    am_allocator_set(PYMEM_DOMAIN_MEM, &mem);\n", "    (void)mem;\n"),
            (PYMEM, "if (found.malloc != ours[i])", "if (i != 1 && found.malloc != ours[i])"),
        ),
    ),
]
