/* cleanup.c - `hod internal cleanup`: started by a container's monitor after the end, when nobody else cleans up. */
#include "cli/commands.h"
#include "cli/ui.h"
#include "engine/cleanup.h"

static err *cleanup_run(struct invocation *inv)
{
        _cleanup_engine_ struct engine *e = NULL;

        TRY(ui_engine(inv, &e));
        return cleanup_by_id(e, inv->operands[0]);
}

const struct command cmd_internal_cleanup = {
        .name = "cleanup",
        .operands = "ID",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Record how a container ended, or remove it (called by its monitor)",
        .run = cleanup_run,
        .hidden = true,
};
