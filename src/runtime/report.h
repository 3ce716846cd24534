/* report.h - a child's failure becomes one clear error. */
#pragma once

#include "runtime/plan.h"

/* The error for @r, in the words that docker's users know where docker has words for it. Never NULL. */
MUST_USE err *report_to_err(const struct plan *p, const struct plan_report *r);
