/**
 * The loaders of a session: one for each database, which hand each other what is of another's models.
 *
 * @module
 */
import { Loader } from "../query/loader.ts";
import type { Mapper } from "../model/mapper.ts";
import type { Tracker } from "../state/tracker.ts";
import type { Branch } from "./branch.ts";
import type { Branches } from "./branches.ts";

/** The loader of a session's bind; what it is asked for of another database it leaves to the loader of that. */
export function loaderOf(branches: Branches, tracker: Tracker): Loader {
  const loaders = new Map<Branch, Loader>();
  const at = (branch: Branch): Loader => {
    let loader = loaders.get(branch);
    if (loader === undefined) {
      loader = new Loader({
        tracker,
        database: branch.database,
        reads: branch.reads,
        isUncertain: () => branch.wrote,
        loaderOf: (mapper: Mapper, locks: boolean) =>
          branches.routes.isSingle ? null : at(branches.of(mapper, locks ? "write" : "read")),
        ready: async () => {
          if (branch.mustConnect) await branch.connect("include()");
        },
      });
      loaders.set(branch, loader);
    }
    return loader;
  };
  return at(branches.main);
}
