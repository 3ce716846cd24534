/* usage.h - what takes how much space: `hod system df`. */
#pragma once

#include "base/err.h"
#include "codec/json.h"
#include "engine/engine.h"

/* docker's /system/df document, and what docker has not:
 *   LayersSize                bytes of all images' layers, each once; LayersUnused: of those no container stands on
 *   Images[]                  Id RepoTags RepoDigests Created Size SharedSize Containers
 *   Containers[]              the fields of `ps`, SizeRw (a number), Alive
 *   Volumes[]                 Name Labels Links Size
 *   Blobs                     Count, Size; Originals: of these layers as they were received, kept for push;
 *                             Partial: bytes of interrupted pulls */
MUST_USE err *usage_get(struct engine *e, json **ret);
