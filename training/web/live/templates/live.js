// Listens to the microphone, sends its samples to the server, and shows the windows that come back.
import { draw } from "./timeline.js";

const MOST_IN_TABLE = 600;
const ANNOUNCE_MS = 3000; // a screen reader could not follow every window
const SLOWEST_S = 5; // of sound that waits in the browser
const LAST_MS = 10000; // in which the last windows must come

const by = id => document.getElementById(id);
const main = by("live"), form = by("controls"), toggle = by("toggle");
const settings = { window_s: by("window"), step_s: by("step"), level_db: by("level") };
const bars = [...document.querySelectorAll("tr[data-emotion]")];
const emotions = bars.map(bar => bar.dataset.emotion);
const colours = bars.map(bar => bar.dataset.colour);
for (const bar of bars) {
  bar.querySelector(".swatch").style.backgroundColor = bar.dataset.colour;
  bar.querySelector(".bar span").style.backgroundColor = bar.dataset.colour;
}

let rows = [];
let listening = null; // what a session holds: stream, context, node and socket
let announcedAt = 0, announced = "";

const percent = share => `${Math.round(100 * share)} %`;
const seconds = value => `${value.toFixed(1)} s`;
const cut = () => Object.fromEntries(Object.entries(settings).map(([name, input]) => [name, input.valueAsNumber]));

const enter = (state, sentence) => {
  main.dataset.state = state;
  toggle.textContent = state === "idle" ? "Start listening" : "Stop listening";
  toggle.disabled = state === "starting" || state === "stopping";
  by("status").textContent = sentence;
};

const report = sentence => {
  by("problem").textContent = sentence;
  by("problem").hidden = !sentence;
};

const mostProbable = row => {
  if (row.probabilities === null) return ["silence", null];
  const share = Math.max(...row.probabilities);
  return [emotions[row.probabilities.indexOf(share)], share];
};

const cell = (kind, text) => {
  const made = document.createElement(kind);
  made.textContent = text;
  return made;
};

const addToTable = row => {
  const line = document.createElement("tr");
  const start = cell("th", seconds(row.start_s));
  start.scope = "row";
  line.append(start, cell("td", seconds(row.stop_s)), cell("td", mostProbable(row)[0]));
  for (let i = 0; i < emotions.length; i++) {
    line.append(cell("td", row.probabilities === null ? "" : percent(row.probabilities[i])));
  }
  const body = by("windows").tBodies[0];
  body.append(line);
  if (body.rows.length > MOST_IN_TABLE) body.rows[0].remove();
};

const showNow = row => {
  const [emotion, share] = mostProbable(row);
  by("emotion").textContent = share === null ? "silence" : `${emotion} ${percent(share)}`;
  bars.forEach((bar, i) => {
    const own = row.probabilities === null ? 0 : row.probabilities[i];
    bar.querySelector(".bar span").style.width = `${100 * own}%`;
    bar.querySelector(".share").textContent = row.probabilities === null ? "" : percent(own);
    bar.classList.toggle("first", emotions[i] === emotion);
  });
  const now = performance.now();
  if (emotion !== announced && now - announcedAt > ANNOUNCE_MS) {
    by("announced").textContent = emotion;
    announced = emotion;
    announcedAt = now;
  }
};

const describe = () => {
  const every = Math.max(1, Math.floor(rows.length / 12));
  const some = rows.filter((_, i) => i % every === 0).slice(-12);
  const said = some.map(row => `${row.start_s.toFixed(0)} s ${mostProbable(row)[0]}`).join(", ");
  return said ? `Probability of each emotion over time: ${said}.` : "No windows yet.";
};

const redraw = () => {
  draw(by("timeline"), rows, colours, settings.step_s.valueAsNumber || 0.5);
  by("timeline").setAttribute("aria-label", describe());
};

const showRow = row => {
  rows.push(row);
  addToTable(row);
  showNow(row);
  if (rows.length === 1 && main.dataset.state === "listening") {
    by("status").textContent = `Listening at ${listening.context.sampleRate} Hz.`;
  }
  by("save").disabled = false;
  by("behind").hidden = row.skipped === 0;
  by("behind").textContent =
    `The model is slower than the sound: ${row.skipped} ${row.skipped === 1 ? "window was" : "windows were"} skipped.`;
  requestAnimationFrame(redraw);
};

const showLevel = samples => {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  const level = Math.max(-80, 20 * Math.log10(peak || 1e-9));
  by("meter").value = level;
  by("loudness").textContent = `${level.toFixed(0)} dB`;
};

const release = () => {
  const held = listening;
  listening = null;
  if (held === null) return;
  for (const track of held.stream.getTracks()) track.stop();
  held.context?.close();
  held.socket?.close();
  by("meter").value = -80;
  by("loudness").textContent = "none";
};

const fail = sentence => {
  release();
  report(sentence);
  enter("idle", "The microphone is off.");
};

const whyNot = error => {
  if (error.name === "NotAllowedError") return "The browser did not allow the microphone; allow it for this page, and start again.";
  if (error.name === "NotFoundError") return "There is no microphone; connect one, and start again.";
  return `The microphone cannot be used (${error.message}); close programs that use it, and start again.`;
};

const connect = held => {
  const address = new URL("stream", document.baseURI);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(address);
  socket.onopen = () => {
    socket.send(JSON.stringify({ type: "start", rate: held.context.sampleRate, ...cut() }));
    held.source.connect(held.node).connect(held.context.destination); // which stays silent: nothing is written
    enter("listening", `Listening at ${held.context.sampleRate} Hz. The first window is complete after ${settings.window_s.value} s.`);
  };
  socket.onmessage = message => {
    const said = JSON.parse(message.data);
    if (said.type === "row") showRow(said);
    else if (said.problem) fail(`${said.problem[0].toUpperCase()}${said.problem.slice(1)}.`);
    else {
      release();
      enter("idle", "The microphone is off.");
    }
  };
  socket.onclose = () => {
    if (listening === held) fail("The server has ended, or cannot be reached; start it again, then reload this page.");
  };
  return socket;
};

const start = async () => {
  report("");
  if (!navigator.mediaDevices) {
    report("Browsers offer a microphone only to pages of the same machine, or over https.");
    return;
  }
  enter("starting", "Waiting for the microphone.");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      // The sound as it is: a model that was trained on recordings does not know a browser's processing.
      audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
  } catch (error) {
    fail(whyNot(error));
    return;
  }
  const held = { stream, context: null, node: null, socket: null };
  listening = held;
  try {
    held.context = new AudioContext();
    await held.context.audioWorklet.addModule("microphone.js");
    held.source = held.context.createMediaStreamSource(stream);
    held.node = new AudioWorkletNode(held.context, "microphone", { numberOfInputs: 1, numberOfOutputs: 1 });
  } catch (error) {
    fail(whyNot(error));
    return;
  }
  rows = [];
  by("windows").tBodies[0].replaceChildren();
  announced = "";
  redraw();
  stream.getTracks()[0].onended = () => stop();
  held.node.port.onmessage = ({ data: samples }) => {
    if (listening !== held) return;
    if (samples === null) {
      held.socket.send(JSON.stringify({ type: "stop" }));
      return;
    }
    showLevel(samples);
    held.socket.send(samples);
    if (held.socket.bufferedAmount > SLOWEST_S * 4 * held.context.sampleRate) {
      fail("The connection to the server is too slow for the sound; use a faster one, and start again.");
    }
  };
  held.socket = connect(held);
};

const stop = () => {
  if (main.dataset.state !== "listening") return;
  enter("stopping", "Waiting for the last window.");
  const held = listening;
  held.node.port.postMessage("end"); // the remaining samples, then the server's last rows
  setTimeout(() => {
    if (listening === held) fail("The server did not answer in time; the last windows are missing.");
  }, LAST_MS);
};

const save = () => {
  const lines = [["clip", "start_s", "stop_s", "emotion", "probability", ...emotions]];
  for (const row of rows) {
    const [emotion, share] = mostProbable(row);
    const shares = row.probabilities ?? emotions.map(() => null);
    const numbers = [share, ...shares].map(value => (value === null ? "" : value.toFixed(6)));
    lines.push(["microphone", row.start_s.toFixed(3), row.stop_s.toFixed(3), emotion, ...numbers]);
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.map(line => line.join(",") + "\n").join("")], { type: "text/csv" }));
  link.download = "emotions.csv";
  link.click();
  URL.revokeObjectURL(link.href);
};

form.onsubmit = event => {
  event.preventDefault();
  if (main.dataset.state === "idle") start();
  else stop();
};
for (const input of Object.values(settings)) {
  input.onchange = () => {
    if (!form.reportValidity()) return;
    by("meter").low = settings.level_db.valueAsNumber;
    if (main.dataset.state === "listening") listening.socket.send(JSON.stringify({ type: "change", ...cut() }));
  };
}
by("save").onclick = save;
window.addEventListener("resize", redraw);
window.addEventListener("pagehide", release);
redraw();
