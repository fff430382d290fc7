/* baton_evidence: the double signatures that this node keeps, as `baton evidence verify` reads
 * them. */
#include "rpc/methods.h"

enum method_result rpc_baton_evidence(struct call *call) {
    const struct rpc_backend *backend = call->backend;
    if (backend->evidence_json == NULL) { /* a chain that nobody orders has none */
        json_array_begin(call->out);
        json_array_end(call->out);
        return METHOD_DONE;
    }
    const enum err err = backend->evidence_json(backend->context, call->out);
    return err == ERR_OK ? METHOD_DONE : rpc_call_failed(call, err);
}
