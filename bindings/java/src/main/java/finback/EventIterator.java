package finback;

import java.util.Iterator;
import java.util.NoSuchElementException;

/** One pass over a stream; asks for an event only when the caller does. */
final class EventIterator implements Iterator<Event> {
  private final Stream stream;
  private Event ahead;
  private boolean over;

  EventIterator(Stream stream) {
    this.stream = stream;
  }

  @Override
  public boolean hasNext() {
    if (ahead == null && !over) {
      ahead = stream.next();
      over = ahead == null;
    }
    return !over;
  }

  @Override
  public Event next() {
    if (!hasNext()) {
      throw new NoSuchElementException("the stream is over");
    }
    Event event = ahead;
    ahead = null;
    return event;
  }
}
