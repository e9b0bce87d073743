package org.aeraki.samples;

import java.io.Serializable;
import java.util.Objects;

/** A part of Record. */
public class Point implements Serializable {
    private static final long serialVersionUID = 1L;

    private double x;
    private double y;
    private String label;

    public double getX() {
        return x;
    }

    public void setX(double x) {
        this.x = x;
    }

    public double getY() {
        return y;
    }

    public void setY(double y) {
        this.y = y;
    }

    public String getLabel() {
        return label;
    }

    public void setLabel(String label) {
        this.label = label;
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof Point)) {
            return false;
        }
        Point o = (Point) other;
        return Double.compare(x, o.x) == 0
                && Double.compare(y, o.y) == 0
                && Objects.equals(label, o.label);
    }

    @Override
    public int hashCode() {
        return Objects.hash(x, y);
    }

    @Override
    public String toString() {
        return label + "(" + x + ", " + y + ")";
    }
}
