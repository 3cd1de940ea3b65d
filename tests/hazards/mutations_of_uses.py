"""What takes the mitigations of H14 to H28 away, and of what else this folder shows."""

from __future__ import annotations

from mutating import Mutation, one

NATIVE = "src/allocmeter/_native/"
CONTEXT, CONTEXT_H = NATIVE + "context.c", NATIVE + "context.h"
PYMEM, MALLOC = NATIVE + "pymem.c", NATIVE + "malloc.c"
PRELOAD = NATIVE + "preload/preload.c"
DECORATOR, OUTPUT = "src/allocmeter/decorator.py", "src/allocmeter/cli/_output.py"
PRINTABLE, MARKUP = "src/allocmeter/renderers/printable.py", "src/allocmeter/renderers/markup.py"

VERSION = " &&\n                     state->context_ver == thread->context_version"

MUTATIONS = [
    one(
        "h14_awkward and library",
        "calloc multiplies without a look",
        MALLOC,
        "    if (AM_UNLIKELY(__builtin_mul_overflow(count, each, &size))) "
        "return below.calloc(count, each);\n",
        "    size = count * each;\n",
    ),
    one(
        "h14_awkward and library",
        "realloc(p, 0) is recorded as a block",
        MALLOC,
        "if (node != AM_NONE && moved != NULL) {",
        "if (node != AM_NONE) {",
    ),
    one(
        "h14_awkward and interpreters",
        "realloc(NULL, n) is a reallocation",
        PYMEM,
        "if (block == NULL) return domain##_malloc(context, size);",
        "",
    ),
    Mutation(
        "h15_what",
        "what the allocator below refuses is recorded",
        (
            (
                PYMEM,
                "if (AM_LIKELY(block != NULL)) record(block, size, am_",
                "record(block, size, am_",
            ),
            (
                PYMEM,
                "if (AM_LIKELY(block != NULL && node != AM_NONE)) record(block, size, node,",
                "if (node != AM_NONE) record(block, size, node,",
            ),
        ),
    ),
    one(
        "h15_a_scope_that",
        "a scope that cannot be taken from its context is not passed over",
        CONTEXT,
        "    if (failed || holder->context != this_context()) leave_elsewhere(holder);\n",
        "    if (holder->context != this_context()) leave_elsewhere(holder);\n",
    ),
    one(
        "h16",
        "every thread counts as attached",
        CONTEXT,
        "    if (state == NULL) return 0;\n",
        "    return 1;\n",
    ),
    one(
        "h17",
        "a thread state is known by its address",
        CONTEXT_H,
        " state->id == thread->state_id &&",
        "",
    ),
    one(
        "h18",
        "finalizers are charged like everything else",
        CONTEXT_H,
        "    if (AM_UNLIKELY(*am_collecting) && *exclusive) return am_collector_node(node);\n",
        "",
    ),
    one(
        "h19",
        "the other interpreter goes unnoticed",
        CONTEXT,
        "    return state != NULL && state->interp != main_interpreter;\n",
        "    return 0 * (state != NULL);\n",
    ),
    one("h20", "the version of the context is not compared", CONTEXT_H, VERSION, ""),
    one(
        "h21",
        "names are not capped",
        NATIVE + "registry.c",
        "if (PyDict_GET_SIZE(self->aggregates) < self->max_names) {",
        "if (PyDict_GET_SIZE(self->aggregates) >= 0) {",
    ),
    one(
        "h21",
        "nodes are not recycled",
        NATIVE + "node.c",
        "    while (index != AM_NONE) {\n        am_node *node",
        "    while (index == AM_NONE) {\n        am_node *node",
    ),
    Mutation(
        "h22",
        "the preload library calls the interpreter",
        (
            (
                PRELOAD,
                "#include <unistd.h>\n",
                "#include <unistd.h>\nint Py_IsInitialized(void);\n",
            ),
            (
                PRELOAD,
                "    (void)next();\n    atomic_store_explicit(&connected, family",
                (
                    "    if (family != NULL && !Py_IsInitialized()) return;\n"
                    "    (void)next();\n    atomic_store_explicit(&connected, family"
                ),
            ),
        ),
    ),
    one(
        "h23_allocating",
        "the look-up calls itself",
        PRELOAD,
        "    if (resolving) return NULL;\n",
        "",
    ),
    one(
        "h23_constructors",
        "the functions are looked up by the constructor only",
        PRELOAD,
        "    return AM_LIKELY(family != NULL) ? family : resolve();\n",
        "    return family;\n",
    ),
    one(
        "h24_wrapped",
        "a coroutine function is wrapped like a plain one",
        DECORATOR,
        "Kind.COROUTINE: _coroutine_function",
        "Kind.COROUTINE: _plain_function",
    ),
    one(
        "h24_the_pytest",
        "an async test is wrapped like a plain one",
        "src/allocmeter/testing/wrapping.py",
        "(_measuring_coroutine_function if is_async(fn) else _measuring_function)(",
        "_measuring_function(",
    ),
    one(
        "h25",
        "a scope left elsewhere is not noted",
        CONTEXT,
        "    else leave_elsewhere(holder);\n}",
        "}",
    ),
    one(
        "h26",
        "the scope of a generator stays current",
        DECORATOR,
        "            suspend()\n            try:\n                step = body.asend(",
        "            try:\n                step = body.asend(",
    ),
    one("h27_a_scope", "the version of the context is not compared", CONTEXT_H, VERSION, ""),
    one(
        "h27_an_executor",
        "a thread outside every scope is charged to the latest one",
        CONTEXT,
        "node = holder == NULL ? AM_ROOT : holder->node;",
        "node = holder == NULL ? am_active.node : holder->node;",
    ),
    one(
        "h28",
        "figures go on after the scope",
        NATIVE + "allocmeter.c",
        "    if (moment != AM_NOW && scope->state == AM_SCOPE_CLOSED) {",
        "    if (moment > AM_FINAL_SELF) {",
    ),
    one(
        "report_files and middle",
        "the report is written in place",
        OUTPUT,
        '            draft.write_text(text, encoding="utf-8")\n',
        '            path.write_text(text, encoding="utf-8")\n            return\n',
    ),
    one(
        "hostile_input",
        "text is shown as it is",
        PRINTABLE,
        "    taken = sum(map(columns, pieces))\n",
        "    return text\n    taken = sum(map(columns, pieces))\n",
    ),
    one(
        "hostile_input and page",
        "text is not escaped for a page",
        MARKUP,
        "    return escape(printable(text, width))\n",
        "    return printable(text, width)\n",
    ),
    one(
        "hostile_input and prometheus",
        "labels are names",
        "src/allocmeter/integrations/_exported_labels.py",
        "    scope = _UNSAFE.sub(_escaped, name[: MAX_LENGTH + 1])\n",
        "    return Labels(name)\n    scope = _UNSAFE.sub(_escaped, name[: MAX_LENGTH + 1])\n",
    ),
    one(
        "hostile_input and nests",
        "nesting too deep to read is not refused",
        "src/allocmeter/report_format.py",
        "    except (ValueError, RecursionError) as error:\n",
        "    except ValueError as error:\n",
    ),
    one(
        "sockets",
        "installing listens",
        "src/allocmeter/backend.py",
        "        result = types.native().am_install()\n",
        "        import socket\n\n        install.socket = socket.create_server(('127.0.0.1', 0))\n"
        "        result = types.native().am_install()\n",
    ),
]
