#include "awaiting.h"

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
