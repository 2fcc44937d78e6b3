"""From packets to pictures: decoding, time stamps, sampling and cutting."""
