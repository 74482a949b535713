/**
 * The target of D1 in Deno: a real one, in workerd, over a relay of its binding.
 *
 * @module
 */
import { startD1 } from "../servers/d1.ts";
import { d1Target as targetOf } from "./d1_target.ts";
import type { Target } from "./setup.ts";

export const d1Target: Target = targetOf(startD1);
