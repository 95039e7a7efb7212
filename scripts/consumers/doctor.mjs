import { doctor } from 'gmr-conv';

const { ok, cpuLevel, addon } = await doctor();
if (!ok || cpuLevel === null || !addon.path.includes('prebuilds')) throw new Error(JSON.stringify(addon));
console.log(`${cpuLevel.name}, ${addon.build}`);
