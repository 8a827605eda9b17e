// Collects the microphone's samples: mean of the channels, in blocks of about a twentieth of a second.
const BLOCK = 2048;

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(BLOCK);
    this.filled = 0;
    this.ended = false;
    this.port.onmessage = () => {
      this.send();
      this.ended = true;
      this.port.postMessage(null);
    };
  }

  process([channels]) {
    if (this.ended) return false;
    if (channels.length === 0) return true; // not connected yet
    for (let i = 0; i < channels[0].length; i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.block[this.filled++] = sum / channels.length;
      if (this.filled === BLOCK) this.send();
    }
    return true;
  }

  send() {
    const samples = this.block.slice(0, this.filled);
    this.filled = 0;
    if (samples.length) this.port.postMessage(samples, [samples.buffer]);
  }
}

registerProcessor("microphone", Microphone);
