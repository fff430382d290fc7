/* Files of evidence come from anybody: whatever parses can be verified. */
#include <stdlib.h>

#include "tools/evidence_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static FILE *nowhere;
    const struct recoverer recoverer = secp_recoverer();
    char error[EVIDENCE_FILE_ERROR];
    struct evidence_file file;
    if (nowhere == NULL) nowhere = fopen("/dev/null", "we");
    if (nowhere == NULL) abort();
    if (evidence_file_parse((struct bytes){data, size}, &file, error) != ERR_OK) return 0;
    for (size_t i = 0; i < file.claims_count && i < 4; i++)
        (void)evidence_claim_verify(&file.claims[i], &recoverer, nowhere);
    evidence_file_free(&file);
    return 0;
}
