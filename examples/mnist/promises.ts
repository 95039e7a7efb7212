// What the demo promises, held against what came out. The exit code is 0 when every promise that was checked was kept.
import { isExact } from './evaluate.js';
import type { NetworkResult, PromiseCheck, Results } from './results.js';
import { invarianceTolerance, type AccuracyLimits } from './settings.js';
import { percent, scientific } from './terminal.js';

/** Four right angles and two mirrors. */
const exactViews = 6;

/** 100 * 0.58 is not 58. */
function whole(limit: number): number {
  return Number((100 * limit).toFixed(2));
}

function atLeast(claim: string, limit: number, measured: number): PromiseCheck {
  return { claim: `${claim}: at least ${whole(limit)} %`, measured: percent(measured), kept: measured >= limit };
}

function atMost(claim: string, limit: number, measured: number): PromiseCheck {
  return { claim: `${claim}: at most ${whole(limit)} %`, measured: percent(measured), kept: measured <= limit };
}

/** NaN, which keeps no promise, where the view was not tested. */
function accuracyAt({ points }: NetworkResult, degrees: number): number {
  return (
    points.find(({ transform }) => transform.degrees === degrees && transform.mirror === 'none')?.accuracy ?? Number.NaN
  );
}

function invarianceCheck({ invariance }: NetworkResult, testImages: number): PromiseCheck {
  const changed = invariance.reduce((total, { changedPredictions }) => total + changedPredictions, 0);
  const moved = Math.max(...invariance.map(({ maxRelativeDifference }) => maxRelativeDifference));
  const asked = (testImages * invariance.length).toLocaleString('en');
  const limit = scientific(invarianceTolerance, 0);
  return {
    claim: `GMR network, turned by right angles and mirrored: the same answers, logits to ${limit}`,
    measured: `${changed} of ${asked} answers changed, logits moved by ${scientific(moved)}`,
    // An empty list has a maximum of -Infinity.
    kept: changed === 0 && moved >= 0 && moved <= invarianceTolerance,
  };
}

function accuracyChecks({ gmr, cnn }: Results['networks'], limits: AccuracyLimits): PromiseCheck[] {
  const exact = gmr.points.filter(({ transform }) => isExact(transform)).map(({ accuracy }) => accuracy);
  const least = exact.length === exactViews ? Math.min(...exact) : Number.NaN;
  return [
    atLeast('GMR network at 0°, 90°, 180°, 270° and in both mirrors', limits.gmrExact, least),
    atLeast('GMR network, mean over all angles', limits.gmrMean, gmr.meanOverAngles),
    atLeast('GMR network, worst angle', limits.gmrWorst, gmr.worstAngle.accuracy),
    atLeast('ordinary CNN upright', limits.cnnUpright, accuracyAt(cnn, 0)),
    atMost('ordinary CNN at 270°', limits.cnnTurned, accuracyAt(cnn, 270)),
  ];
}

/**
 * @param testImages How many there were.
 * @param limits null where only invariance is promised, which any weights must keep.
 */
export function checkPromises(
  networks: Results['networks'],
  testImages: number,
  limits: AccuracyLimits | null,
): Results['promise'] {
  const invariance = invarianceCheck(networks.gmr, testImages);
  const checks = [invariance, ...(limits === null ? [] : accuracyChecks(networks, limits))];
  return { checks, accuracyChecked: limits !== null, kept: checks.every(({ kept }) => kept) };
}
