#include "awaiting.h"

#include "context.h"

PyObject *am_await_iterator(PyObject *awaitable) {
    if (PyCoro_CheckExact(awaitable) || PyGen_CheckExact(awaitable)) return Py_NewRef(awaitable);
    PyAsyncMethods *methods = Py_TYPE(awaitable)->tp_as_async;
    if (methods != NULL && methods->am_await != NULL) {
        PyObject *iterator = methods->am_await(awaitable);
        if (iterator == NULL || PyIter_Check(iterator)) return iterator;
        PyErr_Format(PyExc_TypeError, "__await__() returned non-iterator of type '%.100s'",
                     Py_TYPE(iterator)->tp_name);
        Py_DECREF(iterator);
        return NULL;
    }
    return PyErr_Format(PyExc_TypeError, "object %.100s can't be used in 'await' expression",
                        Py_TYPE(awaitable)->tp_name);
}

PyObject *am_stop_taken(void) {
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) return NULL;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (!PyErr_GivenExceptionMatches(value, PyExc_StopIteration)) { /* making it has failed */
        PyErr_Restore(type, value, traceback);
        return NULL;
    }
    PyObject *result = Py_XNewRef(((PyStopIterationObject *)value)->value);
    if (result == NULL) result = Py_NewRef(Py_None); /* it can be deleted */
    Py_DECREF(type);
    Py_DECREF(value);
    Py_XDECREF(traceback);
    return result;
}

void am_raise_thrown(PyObject *type, PyObject *value) {
    if (PyExceptionInstance_Check(type)) PyErr_SetObject((PyObject *)Py_TYPE(type), type);
    else PyErr_SetObject(type, value == Py_None ? NULL : value);
}

/* The exception is none of the program's making, nor its blocks: it and its arguments. */
static void raise_stop(PyObject *value) {
    am_own_begin();
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, value);
    if (stop != NULL) PyErr_SetObject(PyExc_StopIteration, stop);
    am_collector_hand_out(2);
    Py_XDECREF(stop);
    am_own_end();
}

PyObject *am_stepped(PySendResult step, PyObject *result) {
    if (step != PYGEN_RETURN) return result;
    raise_stop(result);
    Py_DECREF(result);
    return NULL;
}

PyObject *am_iterated(PySendResult step, PyObject *result) {
    if (step != PYGEN_RETURN || result != Py_None) return am_stepped(step, result);
    Py_DECREF(result);
    return NULL;
}
